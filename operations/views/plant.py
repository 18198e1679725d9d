"""The state of the plant at one moment: flow, ledger, workers, selection, and the devices that are not OK.

Everyone who asks within CURRENT_S gets the same snapshot, so many viewers cost no more than one. What cannot
be read is None, never 0.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

import redis

from operations.views import rollout
from operations.views.alarm_time import Ended
from operations.views.devices import Devices, DeviceView
from registry.facts import Selection, describe_selection
from registry.log.state import Model
from registry.log.state import State as RegistryState
from registry.registry import Registry
from registry.restored.watch import Watch
from zelador import heartbeat
from zelador.alarms.policy import Policy, policy
from zelador.alarms.rule import Rule
from zelador.alarms.state import State
from zelador.buffer.keys import Keys
from zelador.clock import now_ms
from zelador.errors import ZeladorError
from zelador.ledger import LedgerReader, LedgerSnapshot
from zelador.ledger_marks import LedgerMarks, Today
from zelador.settings import AlarmSettings
from zelador.time_budget import held

log = logging.getLogger(__name__)

CURRENT_S = 0.25
AWAY_S = 1.0
MAX_READING_S = 5.0  # how long one thread waits for another's snapshot
MAX_DEVICES = 12  # that are not OK, in a snapshot
NOT_OK: tuple[State, ...] = ("alarm", "unknown", "suspect", "acknowledged", "shelved")  # in the order of need


@dataclass(frozen=True, slots=True)
class Ingester:
    name: str
    is_connected: bool
    is_holding: bool  # back-pressure: it takes no more readings
    broker_version: str | None
    broker_dropped: int | None


@dataclass(frozen=True, slots=True)
class PlantView:
    """`at` is in ms since 1970 UTC. The parts from Redis are None while it does not answer."""

    at: int
    registry_trouble: str | None
    models: int | None
    selection: Selection | None
    alarms_by: Policy  # which labels of the selected model are alarms, and by which rule
    labels: tuple[str, ...]  # what the selected model can answer
    ledger: LedgerSnapshot | None
    workers: tuple[rollout.Worker, ...] | None
    connected_workers: int | None  # inference workers connected to the broker
    ingesters: tuple[Ingester, ...] | None
    trainers: int | None
    device_count: int | None
    counts: Mapping[State, int] | None  # devices by state; those without a classified reading are in none
    not_ok: tuple[DeviceView, ...] | None  # those that need someone first, then those that someone takes care of
    redis_away_since: int | None = None  # ms since 1970 UTC; None while Redis answers
    broker_away_since: int | None = None  # likewise, as far as this server has seen
    last_alarm: Ended | None = None  # the last one that is over
    today: Today | None = None  # what the ledger counted since midnight; None if that is not known
    silent_since: int | None = None  # the last reading (ms since 1970 UTC), while nothing arrives from any device

    def is_alarm(self, label: str | None) -> bool:
        """True if a prediction or label is an alarm."""
        return label in self.alarms_by.classes

    def rule_of(self, device: str) -> Rule:
        return self.alarms_by.rules[self.alarms_by.rule_of(device)]

    @property
    def alarms(self) -> int:
        return 0 if self.counts is None else self.counts["alarm"]

    @property
    def acknowledged(self) -> int:
        """Devices whose alarm somebody acknowledged, and that are still in alarm."""
        return 0 if self.counts is None else self.counts["acknowledged"]

    @property
    def unclassified(self) -> int:
        """Devices that are in no state, because none of their readings was classified yet."""
        return max(0, (self.device_count or 0) - sum((self.counts or {}).values()))

    @property
    def in_alarm(self) -> tuple[DeviceView, ...]:
        """The devices in alarm that are shown, the newest first."""
        return tuple(device for device in self.not_ok or () if device.state == "alarm")

    @property
    def is_fleet_silent(self) -> bool:
        """True if nothing arrives from any device: one event, not one for each."""
        return self.silent_since is not None

    @property
    def live(self) -> int | None:
        """Workers that run the selected model."""
        return None if self.workers is None else sum(worker["state"] == "live" for worker in self.workers)

    @property
    def is_registry_away(self) -> bool:
        """True if the registry cannot be read: then it is not known which model is selected."""
        return self.models is None

    @property
    def with_model(self) -> int:
        """Workers that have a model in memory, selected or not."""
        return sum(worker["model"] is not None for worker in self.workers or ())

    @property
    def is_broker_away(self) -> bool:
        """True if no process that needs the broker is connected to it, although some run."""
        if not self.ingesters and not self.workers:
            return False
        return not any(each.is_connected for each in self.ingesters or ()) and not self.connected_workers


class PlantReader:
    """Reads snapshots. Thread-safe; never raises if a server does not answer."""

    def __init__(
        self,
        registry: Registry,
        watch: Watch,
        client: redis.Redis,
        ledger: LedgerReader,
        prefix: str,
        alarms: AlarmSettings,
        devices: Devices,
        zone: tzinfo,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._watch = watch
        self._client = client
        self._ledger = ledger
        self._devices = devices
        self._prefix = prefix
        self._alarms = alarms
        self._zone = zone
        self._marks = LedgerMarks(client, prefix)
        self._keys = Keys(prefix)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: tuple[float, PlantView] | None = None
        self._kept_of = 0  # number of changes before it was read
        self._changes = 0
        self._away_since: dict[str, int] = {}  # "redis" and "broker": ms since 1970 UTC

    def read(self) -> PlantView:
        """The plant now, or a moment ago; as it was last seen, if another thread takes too long to read it."""
        with held(self._lock, MAX_READING_S) as is_ours:
            changes = self._changes
            kept = self._kept
            if kept is not None and (not is_ours or self._is_current(kept, changes)):
                return kept[1]
            view = self._read()
            self._kept, self._kept_of = (self._clock(), view), changes
            return view

    def _is_current(self, kept: tuple[float, PlantView], changes: int) -> bool:
        return self._kept_of == changes and self._clock() - kept[0] < lasts_s(kept[1])

    def forget(self) -> None:
        """Makes the next snapshot a new one, because something was changed. Never waits."""
        self._changes += 1

    def _read(self) -> PlantView:
        view = self._seen(now_ms())
        broker = view.ledger is not None and view.is_broker_away
        if view.ledger is None:  # then nothing is known of the broker
            broker = "broker" in self._away_since
        return replace(
            view,
            redis_away_since=self._since("redis", view.ledger is None, view.at),
            broker_away_since=self._since("broker", broker, view.at),
        )

    def _since(self, server: str, is_away: bool, at: int) -> int | None:
        """Returns since when a server does not answer; None if it does."""
        if not is_away:
            self._away_since.pop(server, None)
            return None
        return self._away_since.setdefault(server, at)

    def _seen(self, at: int) -> PlantView:
        """Reads the plant; `at` is the present time."""
        state: RegistryState | None = None
        trouble = self._watch.trouble
        try:
            state = self._registry.sync()
        except (ZeladorError, OSError) as error:
            trouble = trouble or str(error)
        selection = None if state is None else state.selection
        model = None if state is None or selection is None else state.models.get(selection.model)
        labels = labels_of(model)
        ledger: LedgerSnapshot | None = None
        today: Today | None = None
        beats: list[dict[str, str]] | None = None
        counts: Mapping[State, int] | None = None
        not_ok: tuple[DeviceView, ...] | None = None
        total: int | None = None
        last_alarm: Ended | None = None
        silent_since: int | None = None
        try:
            ledger = self._ledger.snapshot()
            today = self._marks.today(ledger, self._zone)
            beats = heartbeat.workers(self._client, self._prefix)
            counts = self._devices.counts()
            not_ok = tuple(self._devices.page(MAX_DEVICES, 0, NOT_OK)[0])
            last_alarm = self._devices.alarm_times().last
            silent_since = self._devices.silent_since()
            found: Any = self._client.zcard(self._keys.devices)
            total = int(found)
        except (redis.RedisError, OSError) as error:
            log.debug("Redis does not answer: %s", error)
            ledger = today = beats = counts = not_ok = total = silent_since = None
        inference = None if beats is None else [beat for beat in beats if beat.get("service") == "inference"]
        return PlantView(
            at=at,
            registry_trouble=trouble,
            models=None if state is None else len(state.models),
            selection=None if selection is None else describe_selection(selection),
            alarms_by=policy(self._alarms, labels, {} if model is None else model.metadata),
            labels=labels,
            ledger=ledger,
            workers=None if inference is None else tuple(rollout.describe(beat, selection) for beat in inference),
            connected_workers=None if inference is None else sum(bool(beat.get("connected_at")) for beat in inference),
            ingesters=None if beats is None else tuple(_ingester(b) for b in beats if b.get("service") == "ingest"),
            trainers=None if beats is None else sum(beat.get("service") == "trainer" for beat in beats),
            device_count=total,
            counts=counts,
            not_ok=not_ok,
            last_alarm=last_alarm,
            today=today,
            silent_since=silent_since,
        )


def lasts_s(view: PlantView) -> float:
    """How long a snapshot is current. One without Redis lasts longer: asking again may take as long as a timeout."""
    return CURRENT_S if view.ledger is not None else AWAY_S


def labels_of(model: Model | None) -> tuple[str, ...]:
    found = None if model is None else model.metadata.get("classes")
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def live_labels(registry: Registry) -> tuple[str, ...]:
    """What the live model can answer; nothing if there is none, or the registry cannot be read."""
    try:
        state = registry.sync()
    except (ZeladorError, OSError):
        return ()
    return labels_of(None if state.selection is None else state.models.get(state.selection.model))


def _ingester(beat: Mapping[str, str]) -> Ingester:
    dropped = beat.get("broker_dropped", "")
    return Ingester(
        beat.get("instance", ""),
        bool(beat.get("connected_at")),
        beat.get("holding") == "true",
        beat.get("broker_version") or None,
        int(dropped) if dropped.isdecimal() else None,
    )
