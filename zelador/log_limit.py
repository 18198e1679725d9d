"""Limits how often a line is logged, for events that anyone can cause at any rate."""

from __future__ import annotations

import time
from collections.abc import Callable


class LogLimit:
    """`due` is true at most `burst` times in `every_s` seconds; `skipped` counts the lines suppressed since."""

    def __init__(self, every_s: float, burst: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._burst = burst
        self._clock = clock
        self._left = burst
        self._renewed_at = clock()
        self.skipped = 0

    def due(self) -> bool:
        now = self._clock()
        if now - self._renewed_at >= self._every_s:
            self._left, self._renewed_at = self._burst, now
        if self._left > 0:
            self._left -= 1
            return True
        self.skipped += 1
        return False

    def take_skipped(self) -> str:
        """A suffix for the next line: how many lines before it were suppressed."""
        skipped, self.skipped = self.skipped, 0
        return f" ({skipped} similar lines were suppressed)" if skipped else ""
