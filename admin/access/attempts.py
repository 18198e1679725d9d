"""A growing delay for addresses that send keys which are none: in memory, with a bound.

Who sends a key that we know is never kept waiting: an address may be a proxy's, or shared by a whole office. Nobody
guesses 256 random bits; the delay keeps those who try from making us work, and the log says who they are.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

FREE = 5  # failures that are answered at once
FIRST_S = 0.1  # the delay of the next one; each doubles it
FORGOTTEN_S = 600.0  # an address that did not fail for so long begins anew
MOST = 10_000  # addresses remembered
HELD = 100  # answers held back at once; beyond, 429 at once

log = logging.getLogger(__name__)


class Attempts:
    def __init__(self, most_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_s = most_s
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()  # the longest silent first
        self.held = 0

    def failed(self, address: str) -> float:
        """Notes a failure; gives the seconds that its answer has to wait."""
        now = self._clock()
        while self._failed:
            oldest = next(iter(self._failed))
            if len(self._failed) < MOST and now - self._failed[oldest][1] < FORGOTTEN_S:
                break
            del self._failed[oldest]
        count = self._failed.pop(address, (0, 0.0))[0] + 1
        self._failed[address] = (count, now)
        if count > FREE and (count & (count - 1)) == 0:
            log.warning("%d keys from %s were none of ours", count, address)
        return min(self._most_s, FIRST_S * 2.0 ** min(count - FREE - 1, 30)) if count > FREE else 0.0

    @property
    def crowded(self) -> bool:
        return self.held >= HELD

    def __len__(self) -> int:
        return len(self._failed)
