"""Rate limits for each key: token buckets in the memory of this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_BUCKETS = 10_000  # beyond that, the least recently used is dropped, which would be full anyway


class Rate:
    """Token buckets by key: `per_s` requests per second in the long run, `burst` at once."""

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str) -> float:
        """Returns 0 if the request is allowed, else the seconds until it will be."""
        tokens, now = self._tokens(who)
        allowed = tokens >= 1.0
        self._keep(who, tokens - 1.0 if allowed else tokens, now)
        return 0.0 if allowed else (1.0 - tokens) / self._per_s

    def charge(self, who: str, cost: float) -> None:
        """Takes `cost` more tokens for an allowed request, so that later ones wait longer."""
        tokens, now = self._tokens(who)
        self._keep(who, max(-self._burst, tokens - cost), now)

    def _tokens(self, who: str) -> tuple[float, float]:
        now = self._clock()
        tokens, at = self._buckets.pop(who, (self._burst, now))
        return min(self._burst, tokens + (now - at) * self._per_s), now

    def _keep(self, who: str, tokens: float, now: float) -> None:
        self._buckets[who] = (tokens, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
