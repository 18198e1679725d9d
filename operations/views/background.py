"""Computes values on threads and caches them. A caller waits only briefly.

The threads are not daemons: exiting while one runs C++ code would abort the process.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MAX_RUNNING = 8  # threads

T = TypeVar("T")


class _Job(Generic[T]):
    def __init__(self, old: T | None) -> None:
        self.ready = threading.Event()
        self.old = old  # is returned until it is ready
        self.until = 0.0  # its value is kept until then
        self.found: T | None = None
        self.error: Exception | None = None


class Background(Generic[T]):
    """At most `most` values, each kept for `times` the time that it took to make, at most for `max_s`. Thread-safe.

    `shows_old`: while a value is made again, the old one is returned.
    """

    def __init__(
        self,
        most: int,
        times: float,
        max_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        shows_old: bool = False,
    ) -> None:
        self._most = most
        self._times = times
        self._max_s = max_s
        self._clock = clock
        self._shows_old = shows_old
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, _Job[T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], wait_s: float) -> T | None:
        """Returns a value, or the old one; None if it is not ready in time, or too many are being made.

        Raises what `make` raises.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None or (job.ready.is_set() and self._clock() >= job.until):
                if sum(not each.ready.is_set() for each in self._jobs.values()) >= MAX_RUNNING:
                    return None
                old = job.found if job is not None and self._shows_old else None
                job = self._jobs[key] = _Job(old)
                self._jobs.move_to_end(key)
                threading.Thread(target=self._run, args=(job, make), name="background", daemon=False).start()
                self._forget()
        if not job.ready.wait(wait_s):
            return job.old
        if job.error is not None:
            raise job.error
        return job.found

    def _run(self, job: _Job[T], make: Callable[[], T]) -> None:
        begun = self._clock()
        try:
            job.found = make()
            took = self._clock() - begun
            job.until = begun + took + min(self._max_s, self._times * took)
        except Exception as error:  # noqa: BLE001 - raised again where the value is asked for
            job.error = error
        finally:
            job.ready.set()

    def _forget(self) -> None:
        """Forgets the oldest values that are too many."""
        for key in [key for key, job in self._jobs.items() if job.ready.is_set()]:
            if len(self._jobs) <= self._most:
                return
            del self._jobs[key]
