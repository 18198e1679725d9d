"""The back-off of all retries: exponential, capped, with full jitter."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST = 0.1  # seconds
CAP = 5.0  # seconds


def backoff(
    attempt: int, *, first: float = FIRST, cap: float = CAP, draw: Callable[[], float] = random.random
) -> float:
    """Seconds to wait before try number `attempt` + 1 (`attempt` counts from 1).

    Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015), with a minimum of a
    tenth of the step, which prevents a busy loop.
    """
    step = min(cap, first * 2.0 ** min(attempt - 1, 30))
    return step * (0.1 + 0.9 * draw())
