"""Caches the newest readings and predictions for a moment, for all visitors together."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import redis

from operations.views.devices import DeviceView
from operations.views.last_hour import Courses, courses
from operations.views.stream import Prediction, Reading, Recent
from zelador.time_budget import held

PREDICTIONS = 40
READINGS = 200
OF_DEVICE = 60
NEWEST_S = 0.25
DEVICE_S = 2.0
COURSES_S = 15.0
MAX_KEPT = 512
UNCHANGED_S = 60.0
LOCKS = 16
MAX_MAKING_S = 10.0  # then another thread makes the value too

T = TypeVar("T")


class Kept:
    """A cache of at most MAX_KEPT values with an age limit. Thread-safe; a value is made only once at a time.

    A caller waits for another thread's value until the time of its page is up, and then computes its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()
        self._making = [threading.RLock() for _ in range(LOCKS)]  # each for its share of the names

    def get(self, name: Hashable, lasts_s: float, make: Callable[[], T]) -> T:
        found = self._current(name, lasts_s)
        if found is None:
            making = self._making[hash(name) % LOCKS]
            with held(making, MAX_MAKING_S):
                found = self._current(name, lasts_s) or self._keep(name, make())
        return cast(T, found[0])

    def unless_changed(self, name: Hashable, mark: object, make: Callable[[], T]) -> T:
        """Returns the value that was made for this mark, for UNCHANGED_S at most; makes it again for another mark."""
        found = self.get(name, UNCHANGED_S, lambda: (mark, make()))
        if found[0] != mark:
            self.forget(name)
            found = self.get(name, UNCHANGED_S, lambda: (mark, make()))
        return found[1]

    def _current(self, name: Hashable, lasts_s: float) -> tuple[object] | None:
        with self._lock:
            found = self._found.get(name)
        return None if found is None or self._clock() - found[0] >= lasts_s else (found[1],)

    def _keep(self, name: Hashable, value: object) -> tuple[object]:
        with self._lock:
            self._found[name] = (self._clock(), value)
            self._found.move_to_end(name)
            while len(self._found) > MAX_KEPT:
                self._found.popitem(last=False)
        return (value,)

    def forget(self, name: Hashable) -> None:
        with self._lock:
            self._found.pop(name, None)


class Window:
    """The newest readings and predictions. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, recent: Recent, client: redis.Redis, prefix: str) -> None:
        self._recent = recent
        self._client = client
        self._prefix = prefix
        self.kept = Kept()

    def predictions(self) -> list[Prediction]:
        """Returns the newest predictions, newest first."""
        return self.kept.get("predictions", NEWEST_S, lambda: self._recent.predictions(PREDICTIONS, None, None)[0])

    def readings(self, lasts_s: float = NEWEST_S) -> dict[str, Reading]:
        """Returns the newest readings by id, the newest first."""
        return self.kept.get("readings", lasts_s, self._readings)

    def of_device(self, device: str) -> list[Reading]:
        """Returns the newest readings of a device, oldest first."""
        return self.kept.get(
            ("device", device), DEVICE_S, lambda: self._recent.readings(OF_DEVICE, None, device)[0][::-1]
        )

    def newest_of(self, device: DeviceView) -> tuple[Reading, ...]:
        """Returns the newest reading of a device in the buffer, or none. Looks again if the device has sent more."""
        name = device.device_id
        return self.kept.unless_changed(
            ("newest", name), device.readings, lambda: tuple(self._recent.readings(1, None, name)[0])
        )

    def courses(self) -> Courses:
        """Returns the values of all devices in the last hour."""
        return self.kept.get("courses", COURSES_S, lambda: courses(self._client, self._prefix))

    def _readings(self) -> dict[str, Reading]:
        return {reading["id"]: reading for reading in self._recent.readings(READINGS, None, None)[0]}
