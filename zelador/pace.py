"""Pauses between small batches at a high rate, so that the next batch is larger. Pure: the clock is an argument."""

from __future__ import annotations

MIN_RATE = 3_000.0  # readings a second above which a pause pays; below it, batches are processed without a pause
SMALL_BATCH = 300  # readings; a larger batch is worth its round trips
REST_S = 0.004
WINDOW_S = 0.25  # the rate is measured over this time


class Pace:
    """Decides when a worker pauses. A batch costs the same round trips at any size, so small ones waste CPU time."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._count = 0
        self._rate = 0.0

    def after(self, count: int, now: float) -> float:
        """Seconds to pause after a batch of `count` readings, at `now` (monotonic seconds)."""
        self._count += count
        elapsed = now - self._began
        if elapsed >= WINDOW_S:
            self._rate = self._count / elapsed
            self._began, self._count = now, 0
        return REST_S if 0 < count < SMALL_BATCH and self._rate > MIN_RATE else 0.0
