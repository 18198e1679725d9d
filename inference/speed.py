"""How fast a worker is: readings a second, and the time from receipt to confirmation. Pure: the clock is an argument.

A batch costs one step of a histogram, however many readings it has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

WINDOW_S = 15.0  # figures cover the last one or two windows
FINEST_S, STEPS, FACTOR = 0.000_5, 140, 2**0.2  # bounds of the histogram: from 0.5 ms to some 31 h, 15 % apart
BOUNDS = tuple(FINEST_S * FACTOR**step for step in range(STEPS))
SHARE = 0.99


class Speed:
    """Counts settled batches in two windows: the present one, and the one before it."""

    def __init__(self, now: float) -> None:
        self._began = self._began_before = now
        self._counts = [0] * (STEPS + 1)  # readings by time, of the present window
        self._before = [0] * (STEPS + 1)

    def settled(self, count: int, seconds: float, now: float) -> None:
        """Counts a batch of `count` readings, of which the oldest was received `seconds` ago."""
        if now - self._began >= WINDOW_S:
            self._turn(now)
        self._counts[bisect_left(BOUNDS, seconds)] += count

    def facts(self, now: float) -> Mapping[str, object]:
        """Readings a second, and the milliseconds within which 99 % were confirmed; None if there were none."""
        if now - self._began >= WINDOW_S:
            self._turn(now)
        counts = [one + other for one, other in zip(self._counts, self._before, strict=True)]
        total, elapsed = sum(counts), now - self._began_before
        if not total:
            return {"rate": 0.0, "p99_ms": None}
        left = total * SHARE
        for place, count in enumerate(counts):  # noqa: B007 - used below
            left -= count
            if left <= 0:
                break
        return {
            "rate": round(total / max(elapsed, 1.0), 2),
            "p99_ms": round(1000 * BOUNDS[min(place, STEPS - 1)], 1),
        }

    def _turn(self, now: float) -> None:
        """Begins a window. After a pause of more than one, the window before it is empty."""
        is_next = now - self._began < 2 * WINDOW_S
        self._began_before = self._began if is_next else now - WINDOW_S
        self._before = self._counts if is_next else [0] * (STEPS + 1)
        self._counts = [0] * (STEPS + 1)
        self._began = now
