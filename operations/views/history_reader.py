"""Reads the history of one device from the archive and the buffer, each reading once, within a time limit."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

import redis

from archive.dataset.engine import open_engine
from archive.dataset.history.buckets import Course, Grid
from archive.dataset.history.buffered import read_buffered
from archive.dataset.history.read import Coverage, read_course, read_newest, read_sample, wanted
from archive.dataset.load import archive_of
from archive.dataset.query import MAX_MS
from operations.views.background import Background
from operations.views.device_events import DeviceEvents
from operations.views.device_history import (
    MAX_BUCKETS,
    HistoryNote,
    HistoryView,
    LastReading,
    PeriodStateView,
    UsualView,
    buckets_of,
    labels_in,
    note,
    states_in,
)
from operations.views.devices import DeviceView
from zelador.buffer import history
from zelador.buffer.entry import order_of
from zelador.clock import now_ms
from zelador.errors import InvalidInput, ZeladorError
from zelador.labels import Labels
from zelador.messages import iso
from zelador.settings import Settings

if TYPE_CHECKING:
    from archive.archive import Archive, Snapshot

log = logging.getLogger(__name__)

ARCHIVE_S, BUFFER_S, USUAL_S = 0.8, 0.3, 0.2  # time to read
BUCKET_TIMES = 25  # as much time if the archive is in a bucket, whose files are downloaded first
WAIT_S, USUAL_SHARE = 1.3, 0.3  # for a history, which is made on a thread; part of it for what is usual
ENGINE_S = 30.0  # that a history waits for others
MAX_EVENTS = 500
MAX_STRETCHES = 500  # with a label
MAX_SPAN_MS = 400 * 86_400_000
FIRST_MS, LAST_MS = 0, MAX_MS - 86_400_000  # shown in any time zone
MAX_KEPT, KEPT_TIMES, MAX_KEPT_S = 64, 10, 120.0  # a course is kept for this many times the time that it took
USUAL_MS, USUAL_TIMES, USUAL_KEPT_S = 7 * 86_400_000, 10_000, 900.0
MIN_USUAL_MS, MIN_USUAL = 86_400_000, 500  # a device is known after this time and this many readings

Usual = dict[str, UsualView]


@dataclass(frozen=True, slots=True)
class _Read:
    course: Course
    notes: tuple[HistoryNote, ...]


class HistoryReader:
    """Reads histories on threads; one at a time reads the archive. Thread-safe.

    Every call raises redis.RedisError if Redis does not answer. An archive that cannot be read is a note.
    """

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis,
        labels: Labels,
        events: DeviceEvents,
        archive_s: float = ARCHIVE_S,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._labels = labels
        self._events = events
        self._archive_s = archive_s
        self._time = clock
        self._stopped = False
        self._wait_s = wait_s
        self._engine = Lock()
        self._archive: Archive | None = None
        self._read = Background[_Read](MAX_KEPT, KEPT_TIMES, MAX_KEPT_S)
        self._usual = Background[Usual](MAX_KEPT, USUAL_TIMES, USUAL_KEPT_S, shows_old=True)
        self._last = Background[tuple[LastReading, ...]](MAX_KEPT, USUAL_TIMES, USUAL_KEPT_S)

    def history(self, device: DeviceView, begin: int, end: int, buckets: int) -> HistoryView:
        """The history of a device from `begin` to before `end` (ms since 1970 UTC). Raises InvalidInput."""
        grid, name = _checked(begin, end, buckets), device.device_id
        return self._shown(device, self._soon((name, grid), name, lambda: grid, lambda: self._read_all(name, grid)))

    def newest(self, device: DeviceView, span_ms: int, buckets: int) -> HistoryView:
        """The history of a device until now. In a young plant it begins with its first reading. It may be kept."""
        name = device.device_id

        def grid() -> Grid:
            now = now_ms() + 1
            return Grid.of(now - span_ms, now, buckets)

        def read() -> _Read:
            whole = grid()
            found = self._read_all(name, whole)
            first = self._first(found.course)
            if first - whole.begin > span_ms // 4:
                return self._read_all(name, Grid.of(first, whole.end, buckets))
            return found

        return self._shown(device, self._soon((name, span_ms, buckets), name, grid, read))

    def usual(self, device: str) -> Usual:
        """What is usual for a device, by feature. Empty if it is not known for long, or the archive cannot be read."""
        return self._usual.get(device, lambda: self._find_usual(device), USUAL_SHARE * self._wait_s) or {}

    def last(self, device: DeviceView) -> tuple[LastReading, ...] | None:
        """The newest archived reading of a device, or none; None while the archive is still being read."""
        key = (device.device_id, device.readings)
        return self._last.get(key, lambda: self._find_last(device), USUAL_SHARE * self._wait_s)

    def close(self) -> None:
        """Ends the reads in progress soon, so that the process can stop."""
        self._stopped = True

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _shown(self, device: DeviceView, read: _Read) -> HistoryView:
        course, grid, notes = read.course, read.course.grid, list(read.notes)
        labels = labels_in(course, self._labels.stretches(device.device_id))
        if len(labels) > MAX_STRETCHES:
            notes.append(note("labels"))
        return {
            "device_id": device.device_id,
            "from": iso(grid.begin),
            "to": iso(grid.end),
            "step_ms": grid.step,
            "features": list(course.features),
            "readings": course.readings,
            "buckets": buckets_of(course),
            "labels": labels[-MAX_STRETCHES:],
            "states": self._states(device, grid, course.first),
            "usual": self.usual(device.device_id),
            "notes": notes,
        }

    def _states(self, device: DeviceView, grid: Grid, heard: int | None) -> list[PeriodStateView]:
        """The states in a period; those before its newest MAX_EVENTS changes are left out."""
        begin, end, since = iso(grid.begin), iso(grid.end), max(0, grid.begin)
        events, older = self._events.page(MAX_EVENTS, None, device.device_id, since)
        if older is not None and events[-1].at >= end:  # all of them are after the period
            events, older = self._events.page(MAX_EVENTS, f"{max(1, grid.end)}-0", device.device_id, since)
            if not events:
                return []
        first = None if heard is None else iso(heard)
        return states_in(events, device.state, begin if older is None else events[-1].at, end, first)

    def _clock(self) -> float:
        return math.inf if self._stopped else self._time()

    def _soon(self, key: Hashable, device: str, grid: Callable[[], Grid], read: Callable[[], _Read]) -> _Read:
        """Returns what `read` returns; if that takes too long, the readings in the buffer."""
        found = self._read.get(key, read, self._wait_s)
        if found is None:
            course = Course(grid(), self._settings.features)
            self._read_buffer(device, course, self._snapshot([]))
            return _Read(course, (note("slow"),))
        return found

    def _read_all(self, device: str, grid: Grid) -> _Read:
        course = Course(grid, self._settings.features)
        notes: list[HistoryNote] = []
        snapshot = self._snapshot(notes)
        if snapshot is not None and snapshot.last is not None:
            notes += self._read_archive(device, course, snapshot)
        if not self._read_buffer(device, course, snapshot):
            notes.append(note("buffer"))
        return _Read(course, tuple(notes))

    def _read_buffer(self, device: str, course: Course, snapshot: Snapshot | None) -> bool:
        """Adds the readings that are not archived yet. Returns False if some were not read."""
        last = None if snapshot is None else snapshot.last
        budget_s = self._archive_s if last is None else BUFFER_S
        return read_buffered(self._client, self._settings.redis.prefix, device, course, last, budget_s, self._clock)

    def _snapshot(self, notes: list[HistoryNote]) -> Snapshot | None:
        try:
            self._archive = self._archive or archive_of(self._settings)
            return None if self._archive is None else self._archive.snapshot()
        except (ZeladorError, OSError) as error:
            self._archive = None
            notes.append(note("archive", _said(error)))
            return None

    def _read_archive(self, device: str, course: Course, snapshot: Snapshot) -> list[HistoryNote]:
        archive = self._archive
        if archive is None or not any(wanted(snapshot.readings, course.grid.begin, course.grid.end)):
            return []
        if not self._engine.acquire(timeout=ENGINE_S):
            return [note("slow")]
        try:
            with open_engine(self._settings.datasets) as engine:
                files = snapshot.readings
                budget_s = self._archive_s * (1 if archive.path(files[0]) is not None else BUCKET_TIMES)
                return _notes(read_course(engine, archive, files, device, course, budget_s, self._clock))
        except (ZeladorError, OSError) as error:
            log.warning("the archived readings of a device cannot be read: %s", error)
            return [note("archive", _said(error))]
        finally:
            self._engine.release()

    def _find_usual(self, device: str) -> Usual:
        snapshot, now, features = self._snapshot([]), now_ms(), self._settings.features
        archive = self._archive
        if archive is None or snapshot is None or not self._engine.acquire(timeout=ENGINE_S):
            return {}
        try:
            with open_engine(self._settings.datasets) as engine:
                period = now - USUAL_MS, now
                found = read_sample(engine, archive, snapshot.readings, device, features, period, USUAL_S, self._clock)
        except (ZeladorError, OSError):
            return {}
        finally:
            self._engine.release()
        if found.end - found.begin < MIN_USUAL_MS:
            return {}
        ranges = zip(features, found.values, found.usual(), strict=True)
        return {
            name: {"low": usual[0], "high": usual[1]}
            for name, values, usual in ranges
            if usual is not None and len(values) >= MIN_USUAL
        }

    def _find_last(self, device: DeviceView) -> tuple[LastReading, ...]:
        snapshot, features = self._snapshot([]), self._settings.features
        archive, heard = self._archive, round(1_000 * datetime.fromisoformat(device.heard_at).timestamp())
        if archive is None or snapshot is None or not self._engine.acquire(timeout=ENGINE_S):
            return ()
        try:
            with open_engine(self._settings.datasets) as engine:
                found = read_newest(
                    engine, archive, snapshot.readings, device.device_id, features, heard, self._archive_s, self._clock
                )
        except (ZeladorError, OSError):
            return ()
        finally:
            self._engine.release()
        return () if found is None else (LastReading(iso(found.measured_at), found.values),)

    def _first(self, course: Course) -> int:
        """When the device's readings begin, if the plant's begin in the period; else where the period begins."""
        snapshot, begin = self._snapshot([]), course.grid.begin
        if snapshot is not None and snapshot.readings:
            first: str | None = snapshot.readings[0].first
        else:
            bounds = history.bounds(self._client, self._settings.redis.prefix)
            first = None if bounds is None else bounds[0]
        if course.first is None or first is None or order_of(first)[0] <= begin:
            return begin
        return course.first


def _checked(begin: int, end: int, buckets: int) -> Grid:
    for name, moment in (("from", begin), ("to", end)):
        if not FIRST_MS <= moment <= LAST_MS:
            raise InvalidInput(f"{name}: the period must lie in the years 1970 to 9999", field=name)
    if end <= begin:
        raise InvalidInput(
            f"to ({iso(end)}) is not after from ({iso(begin)}); a period ends after it starts", field="to"
        )
    if end - begin > MAX_SPAN_MS:
        raise InvalidInput(f"to: the period may have at most {MAX_SPAN_MS // 86_400_000} days")
    return Grid.of(begin, end, min(buckets, MAX_BUCKETS))


def _notes(coverage: Coverage) -> list[HistoryNote]:
    found = []
    if coverage.read < coverage.files:
        found.append(note("sampled", share=coverage.read / coverage.files))
    if coverage.late:
        found.append(note("late"))
    if coverage.damaged:
        found.append(note("damaged", coverage.damaged[0]))
    return found


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ZeladorError) else f"the file system says: {error}"
