"""When to stop taking from the broker, and when to go on: the broker's queue is what grows, not Redis."""

from __future__ import annotations

from dataclasses import dataclass

RESUME_AT = 0.8  # of the high-water mark


@dataclass(frozen=True, slots=True)
class Pressure:
    """`holding` begins above `high` waiting readings and ends below RESUME_AT of it, so that it does not flutter."""

    high: int
    holding: bool = False

    def after(self, backlog: int) -> Pressure:
        limit = self.high * RESUME_AT if self.holding else self.high
        return Pressure(self.high, backlog > limit)
