"""When a worker rests a moment, so that its next batch is worth its round trips. Pure: the clock is an argument."""

from __future__ import annotations

FULL_RATE = 3_000.0  # readings a second from which on a rest pays; below it every reading goes on at once
SMALL = 300  # a batch of so many is worth its round trips
REST_S = 0.004
WINDOW_S = 0.25  # over which the rate is taken


class Pace:
    """A batch costs the same few round trips whatever its size: at a high rate small ones starve the machine."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._count = 0
        self._rate = 0.0

    def after(self, count: int, now: float) -> float:
        """Seconds to rest after a batch of `count` readings, at `now` (monotonic seconds)."""
        self._count += count
        passed = now - self._began
        if passed >= WINDOW_S:
            self._rate = self._count / passed
            self._began, self._count = now, 0
        return REST_S if 0 < count < SMALL and self._rate > FULL_RATE else 0.0
