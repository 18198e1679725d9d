"""How far a run is, from its events: what has ended, what is in progress, what waits, and the time left. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from zelador.training_queue import stage
from zelador.training_queue.event import RunEvent, Standing

IN_STEPS = ("candidate_started", "fold_ended")  # kinds of events that the steps show; a list of events leaves them out


@dataclass(frozen=True, slots=True)
class Step:
    """A candidate. `fold` of `folds` have ended, of the one in progress; 0 of 0 before its first one."""

    id: str
    model_type: str
    state: Literal["ended", "failed", "stopped", "now", "waiting"]
    fold: int = 0
    folds: int = 0


@dataclass(frozen=True, slots=True)
class ProgressView:
    """`left_s` is an estimate, which counts down from the newest event; negative if that took longer than estimated.

    Once all candidates have ended, the earliest estimated end holds: an estimate that is renewed with each step
    would stand still. `leaderboard` has the candidates that ended, the best first; `listed` the events that `steps` do
    not show, steps of one kind in a row only once. `has_more`: candidates are still to be compared, or made from
    others, which `trying` tells apart. `may_cancel`: until the models are being registered.
    """

    steps: tuple[Step, ...] = ()
    counted: tuple[int, int] | None = None  # candidates that have ended, of all
    left_s: float | None = None
    leaderboard: tuple[Standing, ...] = ()
    listed: tuple[RunEvent, ...] = ()
    has_more: bool = True
    trying: stage.Trying = "candidates"
    may_cancel: bool = True

    @property
    def current(self) -> Step | None:
        """The candidate in progress."""
        return next((step for step in self.steps if step.state == "now"), None)

    @property
    def share(self) -> float:
        """How many candidates have ended, with the ended folds of the next one as a fraction."""
        now, done = self.current, 0 if self.counted is None else self.counted[0]
        return done + (now.fold / now.folds if now is not None and now.folds else 0.0)


def progress_view(events: Sequence[RunEvent], now: datetime) -> ProgressView:
    counted = next((each for each in reversed(events) if each.total), None)
    ends = [end for each in _estimating(events) if (end := _end_of(each)) is not None]
    left = min(((end - now).total_seconds() for end in ends), default=None)
    return ProgressView(
        steps_of(events),
        None if counted is None or counted.total is None else (counted.done or 0, counted.total),
        left,
        next((each.leaderboard for each in reversed(events) if each.leaderboard), ()),
        listed_of(events),
        stage.may_finish_early(reversed(events)),
        stage.trying(reversed(events)),
        stage.may_cancel(reversed(events)),
    )


def listed_of(events: Sequence[RunEvent]) -> tuple[RunEvent, ...]:
    """Returns the events that the steps do not show. Of steps of one kind in a row, such as each try of tuning, the
    newest stands for all."""
    shown = [each for each in events if each.kind not in IN_STEPS]
    later: list[RunEvent | None] = [*shown[1:], None]
    return tuple(each for each, after in zip(shown, later, strict=False) if not _is_followed(each, after))


def _is_followed(event: RunEvent, after: RunEvent | None) -> bool:
    """True if the next event is a step that begins with the same word, such as rebuilding."""
    if after is None or event.kind != "step" or after.kind != "step":
        return False
    return event.message.partition(" ")[0] == after.message.partition(" ")[0]


def _estimating(events: Sequence[RunEvent]) -> Sequence[RunEvent]:
    """The events whose estimates count: all since the last candidate ended; before, the newest."""
    over = next((place for place, each in enumerate(events) if each.total and each.done == each.total), None)
    timed = [each for each in events[over or 0 :] if each.time_left_s is not None]
    return timed if over is not None else timed[-1:]


def _end_of(event: RunEvent) -> datetime | None:
    if event.time_left_s is None:
        return None
    return datetime.fromisoformat(event.at) + timedelta(seconds=event.time_left_s)


def steps_of(events: Sequence[RunEvent]) -> tuple[Step, ...]:
    """Returns the candidates in the order in which they are compared."""
    found: dict[str, Step] = {}
    waiting: dict[str, Step] = {}
    for event in events:
        of = event.candidate
        if of is None:
            continue
        match event.kind:
            case "candidate_started":
                found[of.id] = Step(of.id, of.model_type, "now")
                waiting = {each.id: Step(each.id, each.model_type, "waiting") for each in event.waiting}
            case "fold_ended":
                found[of.id] = Step(of.id, of.model_type, "now", event.fold or 0, event.folds or 0)
            case "candidate_failed":
                found[of.id] = Step(of.id, of.model_type, "stopped" if of.is_left_out else "failed")
            case "candidate_ended":
                found[of.id] = Step(of.id, of.model_type, "ended")
            case _:
                pass
    return (*found.values(), *(step for step in waiting.values() if step.id not in found))
