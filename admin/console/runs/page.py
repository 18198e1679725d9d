"""The page of all training runs, and the page of one run: progress, verdict, models, saving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Annotated, Literal

import redis
from fastapi import Path as InPath
from fastapi import Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.existing import reported_devices
from admin.console.page import go, pages, renderer, show, signed_in
from admin.console.pulse import moment
from admin.console.render import Renderer, page_response
from admin.console.runs.run_list import end_of, runs_of
from admin.console.runs.settings import settings_of
from admin.console.runs.threshold import ThresholdShown, Typed, threshold_shown
from admin.console.runs.words import canceled_by, certainty_text, decision_text, verdict_text
from admin.console.said import Said
from admin.console.sent import Sent
from admin.console.stream import Live, Topic
from admin.console.training.candidates import CANDIDATES
from admin.console.visitor import Visiting, Visitor
from admin.console.words import people
from operations.actor import Actor
from operations.acts import runs as acts
from operations.views.candidate_row import CandidateRow
from operations.views.candidates import SavedView, candidates
from operations.views.comparison import Comparison, comparison, cost_of, progress_of, with_standings
from operations.views.plant import PlantView
from operations.views.report import Report, candidate_report
from operations.views.run_progress import ProgressView, Step, progress_view
from operations.views.run_view import RunView
from zelador.errors import InvalidInput, NotFound, ZeladorError
from zelador.model_metrics import METRICS
from zelador.training_queue.event import RunEvent

router = pages("runs")

CURRENT_S = 1.0
FACTS_S = 5.0
REPORT_S = 60.0
MAX_PICKS = 20
EVENTS = 12
PARTS = {"pr": "heading", "timing": "timing", "track": "track", "progress": "progress"}  # id of an element to its macro

RunId = Annotated[str, InPath(max_length=64)]
Amount = Annotated[str, Query(max_length=40)]


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate that can be saved, or that was saved."""

    row: CandidateRow
    saved_as: tuple[str, ...]  # names of models
    proposed: str
    is_kept: bool  # its files are still stored
    saved: tuple[SavedView, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, and its leaderboard so far. `events` are newest first."""

    view: ProgressView
    counted: tuple[int, int] | None  # candidates that have ended, of all
    so_far_s: float | None  # since the trainer took it
    events: tuple[RunEvent, ...]
    asked: Literal["cancel", "finish"] | None = None  # requested by a person, and not done yet

    @property
    def steps(self) -> tuple[Step, ...]:
        """The candidates in order; without those that a run that finishes early does not compare."""
        return self.view.steps if self.asked is None else tuple(s for s in self.view.steps if s.state != "waiting")

    @property
    def has_baseline(self) -> bool:
        """True if the baseline is compared too."""
        return any(each.id == "dummy" for each in self.view.steps)

    @property
    def ended(self) -> tuple[int, int] | None:
        """Candidates that have ended, of all, without the baseline."""
        if self.counted is None:
            return None
        base = next((each for each in self.view.steps if each.id == "dummy"), None)
        done, total = self.counted
        return (done - (base is not None and base.state in ("ended", "failed")), total - (base is not None))

    @property
    def may_finish(self) -> bool:
        """True while there is a candidate to finish with, and another one to leave out."""
        has_one = any(each.score is not None and each.id != "dummy" for each in self.view.leaderboard)
        return self.asked is None and has_one and self.view.has_more

    @property
    def may_cancel(self) -> bool:
        return self.asked != "cancel" and self.view.may_cancel

    @property
    def candidate(self) -> str:
        """The candidate that is being compared, or was when the run ended."""
        return self.view.current.model_type if self.view.current is not None else ""

    @property
    def can_leave_out(self) -> str:
        """The id of that candidate, if the form for a run offers it; else empty."""
        return self.view.current.id if self.view.current is not None and self.view.current.id in CANDIDATES else ""

    @property
    def left_s(self) -> float | None:
        """An estimate, in steps of five seconds."""
        return None if self.view.left_s is None else 5.0 * round(self.view.left_s / 5)


@dataclass(frozen=True, slots=True)
class RunPage:
    run: RunView
    found: Comparison
    picks: tuple[Pick, ...]
    progress: Progress | None  # while it is queued or running, and of one that did not end well
    names: dict[str, str]
    may_act: bool
    now: PlantView
    verdict: str  # in the reader's language
    certainty: str  # how sure it is
    decision: str  # why a model was or was not selected automatically
    report: Report | None  # of the recommended candidate, while its files are kept
    known: frozenset[str]  # devices of the report that have a page
    canceled_by: str
    threshold: ThresholdShown | None = None  # of the recommended candidate, while its files are kept
    kept_until: str | None = None  # ISO 8601
    settings: tuple[tuple[str, str], ...] = ()  # names and values

    @property
    def took_s(self) -> float | None:
        """How long it ran."""
        begin, end = self.run.started_at or self.run.created_at, self.run.ended_at
        return None if end is None else moment(end) - moment(begin)


@router.get("", **needs("viewer"))
def show_runs(
    console: Shown,
    visitor: Visiting,
    before: Annotated[str | None, Query(max_length=64)] = None,
    until: Annotated[str, Query(max_length=10)] = "",
    q: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Shows runs, the newest first; with `until`, those up to the end of that day in the plant's time zone."""
    end = end_of(until, renderer(console, visitor).language.zone)
    context = replace(runs_of(console, visitor, before or end, q=q.strip()), until=until if end else "")
    return show(console, visitor, "runs/list.html", context, section="runs")


@router.get("/{run}", **needs("viewer"))
def show_run(
    run: RunId, console: Shown, visitor: Visiting, missed: Amount = "", false_alarm: Amount = "", recall: Amount = ""
) -> Response:
    return _show(console, visitor, run, None, typed=Typed(missed, false_alarm, recall))


@router.get("/{run}/threshold", **needs("viewer"))
def show_threshold(
    run: RunId, console: Shown, visitor: Visiting, missed: Amount = "", false_alarm: Amount = "", recall: Amount = ""
) -> Response:
    """Answers with the part of the page that changes with the costs."""
    view = _whole(console, run)
    templates = renderer(console, visitor)
    found = comparison(view)
    report = _report(console, view, found)
    shown = threshold_shown(templates.language, report, Typed(missed, false_alarm, recall))
    if shown is None:
        raise NotFound(f"run {run} has no threshold to choose")
    may_start = signed_in(visitor).may("operator")
    text = templates.macro("runs/threshold.html", "answer", view, shown, may_start)
    return page_response(text, 200, visitor.packed, {"Content-Language": visitor.language})


@router.get("/{run}/by/{metric}", **needs("viewer"))
def show_run_by(
    run: RunId, metric: Annotated[str, InPath(max_length=20)], console: Shown, visitor: Visiting
) -> Response:
    if metric not in METRICS:
        raise NotFound(f"there is no metric {metric!r}; there are {', '.join(METRICS)}")
    return _show(console, visitor, run, metric)


@router.get("/{run}/cancel", **needs("operator"))
def confirm_cancel(run: RunId, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, run, None, "runs/cancel.html")


@router.post("/{run}/cancel", **needs("operator"))
def cancel(run: RunId, console: Shown, actor: Acting) -> Response:
    acts.cancel(actor, console.services.runs, run)
    return go(f"/console/runs/{run}", Said("run canceled", run))


@router.get("/{run}/finish", **needs("operator"))
def confirm_finishing(run: RunId, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, run, None, "runs/finish.html")


@router.post("/{run}/finish", **needs("operator"))
def finish(run: RunId, console: Shown, actor: Acting) -> Response:
    acts.finish(actor, console.services.runs, run)
    return go(f"/console/runs/{run}", Said("run finished", run))


@router.post("/{run}/save", **needs("operator"))
async def save(run: RunId, console: Shown, visitor: Visiting, actor: Acting, request: Request) -> Response:
    """Saves candidates. The fields are `keep` with each chosen rank, and `name1`, `note1` and so on."""
    form = await request.form(max_fields=4 * MAX_PICKS)
    return await run_in_threadpool(_save, console, visitor, actor, run, form)


def _save(console: Console, visitor: Visitor, actor: Actor, run: str, form: FormData) -> Response:
    ranks = [int(str(rank)) for rank in form.getlist("keep") if str(rank).isdecimal() and len(str(rank)) < 4]
    picks = [
        acts.Pick(rank, str(form.get(f"name{rank}", "")).strip(), str(form.get(f"note{rank}", "")).strip()[:4_000])
        for rank in dict.fromkeys(ranks)
    ]
    if len(picks) > MAX_PICKS:
        raise InvalidInput(f"at most {MAX_PICKS} models at once; nothing was saved")
    registry = console.services.registry
    proposed = {each.rank: each.proposed for each in candidates(registry, console.services.run_views.registered(run))}
    saved = acts.save(actor, registry, run, picks)
    said = Said("models saved", ", ".join(model["name"] for model in saved), {"count": len(saved)})
    if not (typed := _left_over(form, proposed, ranks)):
        return go(f"/console/runs/{run}#save", said)
    path = f"/console/runs/{run}"
    return _show(console, replace(visitor, path=path, sent=Sent(f"{path}/save", typed), said=said), run, None)


def _left_over(form: FormData, proposed: Mapping[int, str], saved: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Returns the fields with a name or notes that somebody typed for a candidate that was not saved."""
    found: dict[str, tuple[str, ...]] = {}
    for rank, usual in proposed.items():
        name, note = (str(form.get(f"{part}{rank}", "")) for part in ("name", "note"))
        if rank not in saved and (name.strip() not in ("", usual) or note.strip()):
            found |= {f"name{rank}": (name,), f"note{rank}": (note,)}
    return found


def look(console: Console, renderer: Renderer, _topic: Topic, _now: PlantView) -> Live:
    """Renders the run in progress. An event tells the page when the run ends."""
    try:
        run = console.window.kept.get("run", CURRENT_S, console.services.run_views.current)
    except (redis.RedisError, OSError):
        return Live({})
    if run is None:
        return Live({}, {"idle": "none"})
    shown = console.window.kept.get(("progress", run.id), CURRENT_S, lambda: progress(console, run))
    parts = {name: renderer.macro("runs/progress.html", macro, run, shown) for name, macro in PARTS.items()}
    parts["run-state"] = renderer.macro("runs/parts.html", "run_state", run, None)
    if (facts := console.window.kept.get(("facts", run.id), FACTS_S, lambda: _facts(console, run.id))) is not None:
        parts["run-facts"] = renderer.macro("runs/parts.html", "run_facts", run, facts)
    return Live(parts, {"idle": run.id})


def _facts(console: Console, run: str) -> Comparison | None:
    """What a run learns from, which its document has once the readings are loaded; None if it cannot be read."""
    try:
        return comparison(console.services.run_views.whole(run))
    except ZeladorError:
        return None


def _report(console: Console, run: RunView, found: Comparison) -> Report | None:
    rank = found.first.rank if found.first else None
    if run.is_active or rank is None:
        return None
    registry = console.services.registry
    return console.window.kept.get(("report", run.id), REPORT_S, lambda: candidate_report(registry, run.id, rank))


def progress(console: Console, run: RunView) -> Progress:
    """Returns the progress, from the run's events, or from its line of progress if it has none yet."""
    try:
        events, _ = console.services.run_streams.look(run.id, 0)
        asked = console.services.runs.asked(run.id)
    except (ZeladorError, redis.RedisError, OSError):
        events, asked = [], None
    now = datetime.now(timezone.utc)
    view = progress_view(events, now)
    begun = None if run.started_at is None else datetime.fromisoformat(run.started_at)
    so_far = None if begun is None else max(0.0, (now - begun).total_seconds())
    listed = tuple(reversed(view.listed[-EVENTS:]))
    return Progress(view, view.counted or progress_of(run), so_far, listed, asked)


def _show(
    console: Console,
    visitor: Visitor,
    run: str,
    metric: str | None,
    template: str = "runs/run.html",
    typed: Typed | None = None,
) -> Response:
    view = _whole(console, run)
    found = comparison(view, metric)
    rows = {row.rank: row for row in found.packed}
    picks = [
        Pick(rows[each.rank], each.saved_as, each.proposed, each.is_kept, saved=each.saved)
        for each in candidates(console.services.registry, view)
        if each.rank in rows
    ]
    key, language = signed_in(visitor), renderer(console, visitor).language
    so_far = progress(console, view) if view.is_active or view.state in ("failed", "cancelled") else None
    if so_far is not None and not view.is_active:
        found = with_standings(found, so_far.view.leaderboard)
    report = _report(console, view, found)
    if found.cost is None:
        found = replace(found, cost=cost_of(view.result, None if report is None else report.costs(found.positive)))
    threshold = threshold_shown(language, report, typed or Typed())
    status = 422 if threshold is not None and threshold.wrong else 200
    context = RunPage(
        view,
        found,
        tuple(picks),
        so_far,
        people(console.services, key.role),
        key.may("operator"),
        console.plant.read(),
        verdict_text(language, found),
        certainty_text(language, found),
        decision_text(language, found),
        report,
        reported_devices(console.services, report),
        canceled_by(view.error or ""),
        threshold,
        _kept_until(console, view),
        settings_of(language, view, CANDIDATES),
    )
    live = "run" if view.is_active else "watch"
    return show(console, visitor, template, context, section="runs", live=live, status=status)


def _whole(console: Console, run: str) -> RunView:
    try:
        return console.services.run_views.whole(run)
    except (redis.RedisError, OSError):
        return console.services.run_views.registered(run)


def _kept_until(console: Console, run: RunView) -> str | None:
    """The day until which the candidates of a run that ended are kept."""
    if run.ended_at is None:
        return None
    kept = timedelta(seconds=console.services.settings.registry.keep_runs_s)
    return (datetime.fromisoformat(run.ended_at) + kept).isoformat()


ROUTERS = (router,)
