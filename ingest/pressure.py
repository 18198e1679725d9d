"""Decides when to stop taking messages from the broker, and when to resume: the broker's queue grows, not Redis."""

from __future__ import annotations

import sys
from dataclasses import dataclass

RESUME_AT = 0.8  # of the high-water mark


@dataclass(frozen=True, slots=True)
class Pressure:
    """`holding` starts above `high` waiting readings or `high_bytes`, and ends below RESUME_AT of both.

    The gap keeps it from flipping back and forth.
    """

    high: int
    holding: bool = False
    high_bytes: int = sys.maxsize

    def after(self, backlog: int, waiting_bytes: int = 0) -> Pressure:
        share = RESUME_AT if self.holding else 1.0
        over = backlog > self.high * share or waiting_bytes > self.high_bytes * share
        return Pressure(self.high, over, self.high_bytes)

    @property
    def why(self) -> str:
        """The reason for holding, for people."""
        return f"more than {self.high} readings or {self.high_bytes} bytes wait to be classified"
