"""How long each device was in alarm in the last week, and the last alarm that ended, from the kept changes of states.

Each change is read once, when it is new: asking again costs what happened since, not what is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from zelador.alarms.state import IN_ALARM
from zelador.buffer.entry import order_of
from zelador.buffer.keys import Keys
from zelador.clock import now_ms

WEEK_MS = 7 * 86_400_000
CURRENT_S = 5.0
READ_CHUNK = 1_000  # changes in one read
MAX_READ = 25_000  # changes: all that are kept
KEPT_CHANGES = 20_000  # changes that Redis keeps at least; from this number on, the oldest may be gone

FIRST = "0-0"  # below every id

Spans = list[tuple[int, int]]  # begin and end of alarms, in ms since 1970 UTC


@dataclass(frozen=True, slots=True)
class Ended:
    """An alarm that is over. Times are in ms since 1970 UTC; `since` is None if its beginning is no longer known."""

    device_id: str
    since: int | None
    until: int


@dataclass(frozen=True, slots=True)
class AlarmTimes:
    """`since` is from when on the changes are known: a week ago, or later if there were more than are kept."""

    since: int
    until: int
    ms: Mapping[str, int] = field(default_factory=dict)  # time in alarm, of the devices that were
    last: Ended | None = None


class Course:
    """The alarms of all devices, from the changes of their states. No I/O."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}  # alarms that go on
        self.spans: dict[str, Spans] = {}
        self.last: Ended | None = None

    def add(self, at: int, device: str, before: str, state: str, oldest: int) -> None:
        """Takes the next change of a device. What began before the first known change began at `oldest`."""
        is_on, was_on = state in IN_ALARM, before in IN_ALARM
        if is_on:
            self.begun[device] = self.begun.get(device, oldest) if was_on else at
            return
        begin = self.begun.pop(device, None)
        if begin is None and was_on:
            begin = oldest
        if begin is None:
            return
        self.spans.setdefault(device, []).append((begin, at))
        if state != "shelved" and state != "retired":  # by hand: the device may still be in trouble
            self.last = Ended(device, begin if begin > oldest else None, at)

    def forget(self, before: int) -> None:
        """Drops alarms that ended before a moment."""
        for device in list(self.spans):
            kept = [span for span in self.spans[device] if span[1] > before]
            if kept:
                self.spans[device] = kept
            else:
                del self.spans[device]

    def times(self, since: int, until: int, on_now: Mapping[str, int]) -> dict[str, int]:
        """The time in alarm of each device that was.

        `on_now` has those that are in alarm at `until`, and since when, if no known change says it.
        """
        found: dict[str, int] = {}
        for device, spans in self.spans.items():
            found[device] = sum(min(end, until) - max(begin, since) for begin, end in spans if end > since)
        for device, latest in on_now.items():
            begin = max(since, self.begun.get(device, latest))
            found[device] = found.get(device, 0) + max(0, until - begin)
        return {device: spent for device, spent in found.items() if spent > 0}


class AlarmTimeReader:
    """Reads the changes. Thread-safe. `read` raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._keys, self._clock = client, Keys(prefix), clock
        self._lock = threading.Lock()
        self._read_at = -CURRENT_S
        self._found = AlarmTimes(0, 0)
        self._restart()

    def read(self) -> AlarmTimes:
        """The times of the last week, at most a few seconds old."""
        with self._lock:
            if self._clock() - self._read_at >= CURRENT_S:
                self._found = self._read()
                self._read_at = self._clock()
            return self._found

    def _restart(self) -> None:
        self._course, self._position, self._oldest = Course(), FIRST, 0

    def _read(self) -> AlarmTimes:
        now = now_ms()
        with self._client.pipeline(transaction=False) as pipeline:
            for state in IN_ALARM:  # before the changes: an alarm that begins meanwhile is missed for a few seconds
                pipeline.zrange(self._keys.in_state(state), 0, -1, withscores=True)
            pipeline.xlen(self._keys.device_events)
            pipeline.xrange(self._keys.device_events, count=1)
            pipeline.xrevrange(self._keys.device_events, count=1)
            *on, kept, first, newest = pipeline.execute()
        on_now = {_text(device): int(at) for each in on for device, at in each}
        if not newest or order_of(newest[0][0].decode()) < order_of(self._position):  # Redis lost its data
            self._restart()
        since = now - WEEK_MS
        if kept >= KEPT_CHANGES:
            since = max(since, _at(first[0]))
        self._oldest = self._oldest or since
        self._take(since)
        self._course.forget(since)
        return AlarmTimes(since, now, self._course.times(since, now, on_now), self._course.last)

    def _take(self, since: int) -> None:
        start = f"({self._position}" if self._position != FIRST else str(since)
        for _ in range(0, MAX_READ, READ_CHUNK):
            entries: Any = self._client.xrange(self._keys.device_events, min=start, count=READ_CHUNK)
            self._add(entries)
            if len(entries) < READ_CHUNK:
                return
            start = f"({self._position}"

    def _add(self, entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        for entry in entries:
            name, fields = entry
            if device := fields.get(b"device"):  # else: all devices are silent, or not any more
                before, state = fields.get(b"from", b"").decode(), fields.get(b"to", b"").decode()
                self._course.add(_at(entry), _text(device), before, state, self._oldest)
            self._position = name.decode()


def _at(entry: tuple[bytes, Mapping[bytes, bytes]]) -> int:
    name, fields = entry
    return int(fields.get(b"at") or name.partition(b"-")[0])


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
