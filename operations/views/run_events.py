"""The events of a training run: from Redis while it is active, afterwards from the registry."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from operations.views.run_view import RunView
from operations.views.runs import RunReader
from registry.registry import Registry
from zelador.clock import now_iso
from zelador.errors import ZeladorError
from zelador.training_queue import TrainingQueue
from zelador.training_queue.event import MAX_EVENTS, RunEvent, decode, decode_all
from zelador.undecodable import UNDECODABLE

log = logging.getLogger(__name__)


class RunEvents:
    def __init__(self, runs: RunReader, registry: Registry, queue: TrainingQueue) -> None:
        self._runs = runs
        self._registry = registry
        self._queue = queue

    def after(self, run: str, number: int) -> tuple[list[RunEvent], bool]:
        """The events with a number above `number`, oldest first, and whether they are the last.

        Those of a run that ended end with `ended`, which has its state. Raises NotFound, redis.RedisError, Unavailable.
        """
        view = self._runs.run(run)  # before its events: those of a run that ended are complete
        if view.is_active:
            return self._sent(run, number) or _above(self._kept(run), number), False
        kept = self._kept(run) or self._sent(run, 0)
        if view.state == "failed":  # a trainer that was killed stored the events up to the last candidate that ended
            kept = max(kept, self._sent(run, 0), key=lambda events: events[-1].number if events else 0)
        return _above([*kept, _end(view, kept)], number), True

    def _sent(self, run: str, number: int) -> list[RunEvent]:
        return [decode(data) for data in self._queue.events(run, number, MAX_EVENTS)]

    def _kept(self, run: str) -> list[RunEvent]:
        try:
            data = self._registry.run_events(run)
            return [] if data is None else decode_all(data)[:MAX_EVENTS]
        except (ZeladorError, *UNDECODABLE) as error:
            log.warning("the events of run %s cannot be read: %s", run, error)
            return []


def _above(events: Sequence[RunEvent], number: int) -> list[RunEvent]:
    return [event for event in events if event.number > number]


def _end(view: RunView, events: Sequence[RunEvent]) -> RunEvent:
    """The last event of a run, made from its record, which has the end of every run."""
    number = max((event.number for event in events), default=0) + 1
    said = f"{view.state}: {view.error}" if view.error else view.state
    return RunEvent(number, view.ended_at or now_iso(), "ended", said, state=view.state, error=view.error)
