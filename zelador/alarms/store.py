"""The states of devices in Redis: read, changed by people, swept, and taken from the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import redis

from zelador.alarms.state import STATES, Record, State, decode_record
from zelador.alarms.undo import NOT_ACKNOWLEDGED
from zelador.buffer.keys import Keys
from zelador.buffer.library import Library
from zelador.errors import Conflict, NotFound

DeviceAct = Literal["acknowledge", "unacknowledge", "shelve", "unshelve", "retire", "restore"]

OBJECTIONS = {
    "not in alarm": "is not in alarm",
    "not acknowledged": NOT_ACKNOWLEDGED,
    "not shelved": "is not shelved",
    "retired": "is retired; restore it first",
    "not retired": "is not retired",
}


class Acted(NamedTuple):
    """The state before and after an act; `is_changed` is False if everything was so already."""

    before: State
    after: State
    is_changed: bool


class DeviceStates:
    """Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = keys = Keys(prefix)
        self._library = Library(client)
        self._position = 0  # in the outbox
        self._names = [keys.states, keys.announce, keys.device_events, keys.due, keys.devices]

    def records(self, devices: Sequence[str]) -> list[Record | None]:
        """The state of each device; None if no reading of it was ever classified."""
        if not devices:
            return []
        texts: Any = self._client.hmget(self._keys.states, list(devices))
        return [None if text is None else decode_record(text) for text in texts]

    def counts(self) -> dict[State, int]:
        """The number of devices in each state."""
        with self._client.pipeline(transaction=False) as pipeline:
            for state in STATES:
                pipeline.zcard(self._keys.in_state(state))
            return dict(zip(STATES, pipeline.execute(), strict=True))

    def silent_since(self) -> int | None:
        """While nothing arrives from any device: the time of the last reading (ms since 1970 UTC), else None."""
        found: Any = self._client.hget(self._keys.states, "")  # sweep.lua keeps it there
        return None if found is None else int(found)

    def in_alarm(self, until: int, limit: int) -> list[str]:
        """Up to `limit` devices whose alarm was shown at a time (ms since 1970 UTC), the oldest alarm first.

        An alarm that came back later, as its acknowledgment was undone or its shelving ended, is not among them.
        """
        found: list[str] = []
        names: Any = [b""] * limit
        start = 0
        while len(names) == limit and len(found) < limit:
            names = self._client.zrangebyscore(self._keys.in_state("alarm"), "-inf", until, start=start, num=limit)
            start += limit
            devices = [name.decode("utf-8", "replace") for name in names]
            records = zip(devices, self.records(devices), strict=True)
            found += [device for device, record in records if record is not None and (record.came or 0) <= until]
        return found[:limit]

    def acknowledged(self, since: int, until: int, limit: int) -> list[str]:
        """Up to `limit` devices that became acknowledged in a period (ms since 1970 UTC), the newest first."""
        names: Any = self._client.zrevrangebyscore(
            self._keys.in_state("acknowledged"), until, since, start=0, num=limit
        )
        return [name.decode("utf-8", "replace") for name in names]

    def act(self, device: str, act: DeviceAct, by: str, until: int | None = None, why: str = "") -> Acted:
        """Changes a state by hand. `until` is in ms since 1970 UTC.

        For `unacknowledge`, `until` is when the alarm was acknowledged: another acknowledgment is not undone.
        Raises NotFound, Conflict.
        """
        arguments = [device, act, by, "" if until is None else until, why]
        first, *states = (part.decode() for part in self._library.call("device_act", self._names, arguments))
        if first == "absent":
            raise NotFound(f"there is no device {device[:80]!r}, or it is new and has no state yet")
        if first in OBJECTIONS:
            raise Conflict(f"{device[:80]} {OBJECTIONS[first]}")
        return Acted(states[0], states[1], first != "same")

    def sweep(self, limit: int, silent_s: float | None) -> tuple[int, int, bool]:
        """Checks up to `limit` devices that are due. Returns how many were checked, how many are silent, if all are.

        `silent_s`: a fixed bound instead of the one learned for each device.
        """
        silent_ms: Any = "" if silent_s is None else round(silent_s * 1000)
        arguments = [limit, silent_ms, self._keys.device("")]
        looked, silent, fleet = self._library.call(
            "sweep", [*self._names, self._keys.quarantine, self._keys.silence_seen], arguments
        )
        return int(looked), int(silent), bool(fleet)

    def announce_all(self, page: int, run: str | None) -> int:
        """Puts all devices into the outbox, `page` at a time. Returns the least version to publish them with.

        `run` is the run of Redis, None if that is not known.
        """
        least: Any = self._library.call("announcing", [self._keys.announce_run], [run or ""])
        position = 0
        while True:
            answer: Any = self._client.hscan(self._keys.states, position, count=page)
            position, found = answer
            with self._client.pipeline(transaction=False) as pipeline:
                for device, text in found.items():
                    if device:
                        pipeline.hsetnx(self._keys.announce, device, decode_record(text).version)
                pipeline.execute()
            if position == 0:
                return int(least)

    def announce(self, devices: Sequence[tuple[bytes, bytes]]) -> None:
        """Puts devices into the outbox again, with their versions."""
        with self._client.pipeline(transaction=False) as pipeline:
            for device, version in devices:
                pipeline.hsetnx(self._keys.announce, device, version)
            pipeline.execute()

    def waiting(self, limit: int) -> list[tuple[bytes, bytes, bytes | None]]:
        """About `limit` devices of the outbox: name, version, and the stored state (None: it was forgotten)."""
        begun_at_start = self._position == 0
        while True:  # a page may be empty although others are not: a hash that was large has many empty places
            answer: Any = self._client.hscan(self._keys.announce, self._position, count=limit)
            self._position, page = answer
            if page or (self._position == 0 and begun_at_start):
                break
            begun_at_start = begun_at_start or self._position == 0
        if not page:
            return []
        found = list(page.items())
        texts: Any = self._client.hmget(self._keys.states, [device for device, _ in found])
        return [(device, version, text) for (device, version), text in zip(found, texts, strict=True)]

    def announced(self, done: Sequence[tuple[bytes, bytes]]) -> None:
        """Removes devices from the outbox, once the broker has their states. Those that changed since then stay."""
        self._library.call("announced", [self._keys.announce], [part for pair in done for part in pair])
