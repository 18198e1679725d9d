"""The state of the whole system at one moment, as metrics, readiness and console show it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from operations.views import rollout
from registry.log.state import Selection
from registry.registry import Registry
from registry.restored.watch import Watch
from zelador import heartbeat
from zelador.alarms.activity import AlarmActivity, read_activity
from zelador.alarms.state import State
from zelador.alarms.store import DeviceStates
from zelador.buffer.keys import Keys
from zelador.errors import ZeladorError
from zelador.ledger import LedgerReader, LedgerSnapshot
from zelador.printable import counted
from zelador.settings import Settings

log = logging.getLogger(__name__)

NO_ALARMS = AlarmActivity()


@dataclass(frozen=True, slots=True)
class RegistryState:
    """The registry now. `on_selection` counts the workers that run the selected model; None if it is not known."""

    models: int
    selection: Selection | None
    on_selection: int | None


@dataclass(frozen=True, slots=True)
class StreamState:
    """The stream now. `workers` counts running processes by service.

    `stalled`: readings wait, a model is selected, and no entry was settled for too long. `quarantine_fill` is 1 when
    the nearest of its limits is reached. `broker_dropped` is None if the broker does not report it.
    """

    ledger: LedgerSnapshot
    stalled: bool
    quarantine_fill: float
    broker_dropped: int | None
    workers: Mapping[str, int]
    states: Mapping[State, int]  # devices in each state
    alarms: AlarmActivity = NO_ALARMS
    newest_at: int | None = None  # when the newest reading was stored, ms since 1970 UTC by Redis's clock


@dataclass(frozen=True, slots=True)
class SystemView:
    """What is known of the system. A part is None if it cannot be read: `registry` without a registry, `stream`
    without Redis.
    """

    registry: RegistryState | None
    registry_trouble: str | None  # why the registry is not the one last seen; None if it is
    stream: StreamState | None


@dataclass(frozen=True, slots=True)
class SystemReader:
    """Reads a SystemView. Never raises: what cannot be read is logged and absent."""

    settings: Settings
    registry: Registry
    watch: Watch
    client: redis.Redis
    ledger: LedgerReader

    def read(self) -> SystemView:
        registry = self._registry()
        trouble = self.watch.trouble
        return SystemView(registry, trouble, self._stream(registry is not None and registry.selection is not None))

    def _registry(self) -> RegistryState | None:
        try:
            state = self.registry.sync()
        except (ZeladorError, OSError) as error:
            log.warning("the registry cannot be read: %s", error)
            return None
        if state.selection is None:
            return RegistryState(len(state.models), None, None)
        found = rollout.counted(self.client, self.settings.redis.prefix, state.selection)
        return RegistryState(len(state.models), state.selection, None if found is None else found["live"])

    def _stream(self, is_selected: bool) -> StreamState | None:
        try:
            snapshot = self.ledger.snapshot()
            found = heartbeat.workers(self.client, self.settings.redis.prefix)
            newest: Any = self.client.xrevrange(Keys(self.settings.redis.prefix).readings, count=1)
            states = DeviceStates(self.client, self.settings.redis.prefix).counts()
            alarms = read_activity(self.client, self.settings.redis.prefix)
        except (redis.RedisError, OSError) as error:
            log.warning("the ledger cannot be read: %s", error)
            return None
        workers = Counter(worker.get("service", "") for worker in found)
        limit_s = self.settings.health.stalled_after_s
        stalled = is_selected and stall(snapshot, limit_s, workers["inference"]) is not None
        return StreamState(
            snapshot,
            stalled,
            quarantine_fill(snapshot, self.settings),
            heartbeat.broker_dropped(found),
            workers,
            states,
            alarms,
            int(newest[0][0].partition(b"-")[0]) if newest else None,  # an entry's id begins with its time
        )


def stall(snapshot: LedgerSnapshot, limit_s: float, workers: int) -> str | None:
    """The text for readiness while readings wait and none was settled for `limit_s` seconds; None otherwise.

    `workers`: how many inference workers run.
    """
    if snapshot.idle_s <= limit_s:
        return None
    waits = counted(snapshot.ledger.waiting, "reading waits", "readings wait")
    return (
        f"{waits} and none was settled for {snapshot.idle_s:.0f} s: "
        f"{'check the inference workers' if workers else 'no worker runs (zelador infer)'}"
    )


def quarantine_fill(snapshot: LedgerSnapshot, settings: Settings) -> float:
    """How full the quarantine is, by the nearest of its limits: number, bytes or age; at 1 it discards the oldest."""
    limits = settings.redis
    age_s = (snapshot.now - snapshot.oldest_kept_at) / 1000 if snapshot.oldest_kept_at else 0.0
    return max(
        snapshot.kept / limits.keep_quarantine,
        snapshot.kept_bytes / limits.keep_quarantine_bytes,
        age_s / limits.keep_quarantine_s,
    )
