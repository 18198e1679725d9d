"""The page that starts a run, after showing whether there is anything to learn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

import redis
from fastapi import Form, Query, Request, Response
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.language import Language
from admin.console.numbers import number_of, ways_of
from admin.console.overview.live import FeatureShown, features_of
from admin.console.page import go, pages, renderer, show, signed_in
from admin.console.runs.run_list import Runs, runs_of
from admin.console.runs.settings import beyond_form
from admin.console.said import Said
from admin.console.sent import Sent, typed_of
from admin.console.training.candidates import CANDIDATES, all_but
from admin.console.training.facts import Facts
from admin.console.visitor import Visiting, Visitor
from archive.dataset.query import as_json, query_of
from operations.acts import runs as acts
from operations.views.plant import PlantView
from operations.views.run_view import RunView
from zelador.errors import InvalidInput
from zelador.messages import MAX_LABEL
from zelador.model_metrics import METRICS, Metric
from zelador.settings import SplitKind
from zelador.training_queue import RunRequest

router = pages("training")

PATH = "/console/training"
NOTHING_TYPED = Sent()
RUNS = 8
MAX_SECONDS = 86_400.0  # of tuning, and of the comparison
MAX_COST = 1e12
Amount = Annotated[str, Form(max_length=40)]
Devices = Annotated[str, Query(max_length=20_000)]
Day = Annotated[str, Query(max_length=10)]


@dataclass(frozen=True, slots=True)
class Asked:
    """The readings to train on, as in the form: devices, first day and last day."""

    devices: str = ""  # names and patterns, separated by commas
    begin: str = ""  # 2026-11-24
    end: str = ""

    @property
    def query(self) -> dict[str, object]:
        """Returns the query, as archive.dataset.query reads it. Raises InvalidInput."""
        found: dict[str, object] = {}
        if named := [name.strip() for name in self.devices.split(",") if name.strip()]:
            found["devices"] = named
        begin, end = _day(self.begin, "from"), _day(self.end, "to")
        if begin and end and end < begin:
            raise InvalidInput(f"to: the last day, {end}, is before the first, {begin}; nothing was started")
        if begin:
            found["from"] = f"{begin.isoformat()}T00:00:00"
        if end:
            found["to"] = f"{(end + timedelta(days=1)).isoformat()}T00:00:00"
        return found

    @property
    def fields(self) -> dict[str, str]:
        return {"devices": self.devices, "from": self.begin, "to": self.end}

    @classmethod
    def of(cls, request: RunRequest, language: Language) -> Asked:
        """Returns the readings of an earlier run."""
        dataset = request.get("dataset", {})
        named = dataset.get("devices") or request.get("devices") or []
        begin, end = dataset.get("from"), dataset.get("to")
        return cls(
            ", ".join(map(str, named)) if isinstance(named, list) else "",
            language.local(begin).date().isoformat() if isinstance(begin, str) else "",
            (language.local(end) - timedelta(seconds=1)).date().isoformat() if isinstance(end, str) else "",
        )


@dataclass(frozen=True, slots=True)
class Training:
    facts: Facts
    asked: Asked
    form: Sent  # what was typed, if it was refused, or was sent to look at the readings
    again: str  # the query of this page
    features: dict[str, FeatureShown]
    given: RunRequest  # that the form is filled with
    beyond: tuple[str, ...]  # settings of it that the form has no field for
    metric: str
    metrics: tuple[Metric, ...]
    split: str
    candidates: dict[str, str]
    current: RunView | None  # the active run, while there is one
    runs: Runs
    away: bool  # Redis does not answer, so that no run can be started
    now: PlantView
    may_start: bool
    schedule: str | None  # a cron expression, by which runs start
    on_new_labels: int | None  # so many labeled readings start a run
    promotes_above: (
        float | None
    )  # a run selects its best model if it is better by more than this; None if runs select no model


@router.get("", **needs("viewer"))
def show_training(
    request: Request,
    console: Shown,
    visitor: Visiting,
    devices: Devices = "",
    begin: Annotated[Day, Query(alias="from")] = "",
    end: Annotated[Day, Query(alias="to")] = "",
) -> Response:
    """Shows the form. If it was sent to look at the readings, all else that was typed is there again."""
    asked, given = Asked(devices.strip(), begin.strip(), end.strip()), request.query_params
    typed = typed_of(given.multi_items()) if "metric" in given else NOTHING_TYPED
    return _show(console, visitor, RunRequest(), asked, typed)


@router.get("/like/{run}", **needs("viewer"))
def show_training_like(
    run: Annotated[str, InPath(max_length=64)],
    console: Shown,
    visitor: Visiting,
    cost_missed: Annotated[float | None, Query(gt=0, le=MAX_COST)] = None,
    cost_false_alarm: Annotated[float | None, Query(gt=0, le=MAX_COST)] = None,
    recall: Annotated[float | None, Query(gt=0, le=1)] = None,
    without: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Shows the form, filled with the request of another run, without the candidate of the id `without`.

    Other costs, or a share to find, replace its own.
    """
    given = console.services.run_views.run(run).request.copy()
    given.setdefault("register", True)  # what a request without it means
    if without:
        given["candidates"] = all_but(without, given.get("candidates") or ())
    if recall is not None or cost_missed is not None or cost_false_alarm is not None:
        given.pop("cost_missed", None), given.pop("cost_false_alarm", None), given.pop("recall", None)
    if recall is not None:
        given["recall"] = recall
    if cost_missed is not None:
        given["cost_missed"] = cost_missed
    if cost_false_alarm is not None:
        given["cost_false_alarm"] = cost_false_alarm
    return _show(console, visitor, given, Asked.of(given, renderer(console, visitor).language))


def _show(console: Console, visitor: Visitor, given: RunRequest, asked: Asked, typed: Sent = NOTHING_TYPED) -> Response:
    services = console.services
    may_start = signed_in(visitor).may("operator")
    settings = services.settings.training
    try:
        current, away = services.run_views.current(), False
    except (redis.RedisError, OSError):
        current, away = None, True
    try:  # loading a data set is expensive, so viewers see only the default one
        facts = console.facts.look(asked.query if may_start else {})
        status = 200
    except InvalidInput as error:
        facts, status = Facts(trouble=str(error)), 422
    context = Training(
        facts,
        asked,
        visitor.sent if visitor.sent is not None and visitor.sent.action == PATH else typed,
        urlencode({name: text for name, text in asked.fields.items() if text}),
        {feature.name: feature for feature in features_of(console)},
        given,
        beyond_form(renderer(console, visitor).language, given, as_json(query_of({}, services.settings)), CANDIDATES),
        given.get("metric", settings.metric),
        METRICS,
        given.get("split", settings.split),
        CANDIDATES,
        current,
        runs_of(console, visitor, limit=RUNS),
        away,
        console.plant.read(),
        may_start,
        settings.schedule,
        settings.on_new_labels,
        settings.promote_margin if settings.promote == "better" else None,
    )
    return show(console, visitor, "training/page.html", context, section="training", status=status)


def _day(text: str, name: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(f"{name}: {text!r} is not a date; write it as 2026-11-25") from None


@router.post("", **needs("operator"))
def start(
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    metric: Annotated[Metric, Form()],
    candidates: Annotated[list[str] | None, Form(max_length=30)] = None,
    devices: Annotated[str, Form(max_length=20_000)] = "",
    begin: Annotated[str, Form(alias="from", max_length=10)] = "",
    end: Annotated[str, Form(alias="to", max_length=10)] = "",
    split: Annotated[SplitKind | None, Form()] = None,
    positive: Annotated[str, Form(max_length=MAX_LABEL)] = "",
    cost_missed: Amount = "",
    cost_false_alarm: Amount = "",
    recall: Amount = "",
    tune: Amount = "",
    budget: Amount = "",
    more: Annotated[list[Literal["blend", "stack", "balance"]] | None, Form(max_length=3)] = None,
    notes: Annotated[str, Form(max_length=2_000)] = "",
    save: Annotated[Literal["", "first", "all"], Form()] = "",
) -> Response:
    language = renderer(console, visitor).language
    wanted = RunRequest(metric=metric, notes=notes.strip(), register=[1] if save == "first" else save == "all")
    chosen = [name for name in candidates or () if name in CANDIDATES]
    if candidates and len(chosen) != len(candidates):
        raise InvalidInput("candidates: choose some of the list; nothing was started")
    if chosen:
        wanted["candidates"] = chosen
    if asked := Asked(devices, begin, end).query:
        wanted["dataset"] = as_json(query_of(asked, console.services.settings))
    if split is not None:
        wanted["split"] = split
    if positive:
        wanted["positive"] = positive
    if cost_missed.strip():
        wanted["cost_missed"] = _amount(language, "cost_missed", cost_missed, "the cost of a missed reading", MAX_COST)
    if cost_false_alarm.strip():
        wanted["cost_false_alarm"] = _amount(
            language, "cost_false_alarm", cost_false_alarm, "the cost of a false alarm", MAX_COST
        )
    if recall.strip():
        wanted["recall"] = _amount(language, "recall", recall, "the share to find, in percent,", 100.0) / 100
    if tune.strip():
        wanted["tune_s"] = 60 * _amount(language, "tune", tune, "the minutes of tuning", MAX_SECONDS / 60)
    if budget.strip():
        wanted["budget_s"] = 60 * _amount(language, "budget", budget, "the minutes of the comparison", MAX_SECONDS / 60)
    for name in more or ():
        wanted[name] = True
    run = acts.request(actor, console.services.registry, console.services.runs, wanted)
    return go(f"/console/runs/{run.id}", Said("run started", run.id))


def _amount(language: Language, field: str, text: str, name: str, most: float) -> float:
    found = number_of(language, text)
    if (ways := ways_of(language, text)) is not None:
        raise InvalidInput(
            f"{text!r} can be read in two ways: write {ways[0]} or {ways[1]}; nothing was started", field=field
        )
    if found is None or not 0 < found <= most:
        raise InvalidInput(
            f"{name} must be a number above 0 and up to {most:g}, and is {text!r}; nothing was started", field=field
        )
    return found


@router.post("/again", **needs("viewer"))
def load_again(console: Shown) -> Response:
    console.facts.forget()
    return go("/console/training", Said("loaded again"))


ROUTERS = (router,)
