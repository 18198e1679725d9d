"""Requests runs automatically: on a schedule, and after enough readings were labeled since the last run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone

import redis

from operations.actor import Actor
from operations.acts import runs
from registry.registry import Registry
from trainer.new_labels import NewLabels
from trainer.schedule import Schedule
from zelador.errors import Conflict, ZeladorError
from zelador.printable import counted
from zelador.settings import Settings
from zelador.training_queue import RunRequest, TrainingQueue

log = logging.getLogger(__name__)

LABEL_CHECK_S = 60.0


def utc() -> datetime:
    return datetime.now(timezone.utc)


class Starter:
    """Requests runs. An idle trainer calls `step` about once a second."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        client: redis.Redis,
        actor: Callable[[str], Actor],
        clock: Callable[[], datetime] = utc,
    ) -> None:
        training = settings.training
        self._registry = registry
        self._queue = TrainingQueue(client, settings.redis.prefix)
        self._actor = actor
        self._clock = clock
        self._schedule = Schedule(training.schedule, settings.time_zone, clock()) if training.schedule else None
        self._enough = training.on_new_labels
        self._labels = NewLabels(client, settings)
        self._looked_at = -LABEL_CHECK_S

    def step(self) -> None:
        """Requests a run if one is due. Raises redis.RedisError."""
        if self._schedule is not None and (slot := self._schedule.due(self._clock())) is not None:
            self._request(f"the schedule ({slot:%Y-%m-%d %H:%M} UTC)", f"slot {slot:%Y%m%d%H%M}")
        if self._enough is not None and time.monotonic() - self._looked_at >= LABEL_CHECK_S:
            self._looked_at = time.monotonic()
            self._look_for_labels(self._enough)

    def _look_for_labels(self, enough: int) -> None:
        if self._queue.current() is not None:
            return
        try:
            since = self._last_run()
        except (ZeladorError, OSError) as error:
            log.warning("new labels cannot be counted: %s", error)
            return
        if (count := self._labels.since(since)) >= enough:
            self._request(f"{counted(count, 'reading')} labeled since the last run", f"labels since {since}")

    def _request(self, why: str, once: str) -> None:
        """Requests a run. `once` identifies the reason, so that two trainers do not request two runs for it."""
        if (active := self._queue.current()) is not None:
            log.warning("%s does not start a run, because run %s is active", why, active.id)
            return
        if not self._queue.claim(once):
            return
        try:
            run = runs.request(self._actor(why), self._registry, self._queue, RunRequest(notes=f"started by {why}"))
        except Conflict as error:
            log.warning("%s could not start a run: %s", why, error)
        except ZeladorError as error:
            log.error("%s could not start a run: %s", why, error)
        else:
            log.info("run %s was requested by %s", run.id, why)

    def _last_run(self) -> int:
        """Returns when the last run was requested, in ms since 1970 UTC, whatever its result; 0 if there was none.

        A failed run counts too, so it is not repeated until enough readings are labeled again.
        """
        begun = [run.created_at for run in self._queue.list()]
        begun += [self._registry.run(run)["started_at"] for run in self._registry.runs()[-1:]]
        return max((round(datetime.fromisoformat(each).timestamp() * 1000) for each in begun), default=0)
