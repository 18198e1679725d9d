"""Delays answers to addresses that send invalid keys, longer each time. In memory, with a bound.

A valid key is never delayed, because an address may be a proxy's, or shared by an office. Nobody can guess 256 random
bits; the delay limits the work that attackers cause, and the log names their addresses.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

FREE = 5  # failures answered without delay
FIRST_S = 0.1  # the first delay; each further failure doubles it
FORGOTTEN_S = 600.0  # without a failure; then the address starts over
MAX_ADDRESSES = 10_000  # remembered
MAX_DELAYED = 100  # answers delayed at the same time; beyond that, 429 at once

log = logging.getLogger(__name__)


class Attempts:
    def __init__(self, most_s: float, what: str = "keys", clock: Callable[[], float] = time.monotonic) -> None:
        """Delays are at most `most_s` seconds. `what` names the secrets in the log."""
        self._most_s = most_s
        self._what = what
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()  # least recent failure first
        self.delayed = 0

    def failed(self, address: str) -> float:
        """Counts a failure. Returns the seconds to delay its answer."""
        now = self._clock()
        while self._failed:
            oldest = next(iter(self._failed))
            if len(self._failed) < MAX_ADDRESSES and now - self._failed[oldest][1] < FORGOTTEN_S:
                break
            del self._failed[oldest]
        count = self._failed.pop(address, (0, 0.0))[0] + 1
        self._failed[address] = (count, now)
        if count > FREE and (count & (count - 1)) == 0:
            log.warning("%d invalid %s from %s", count, self._what, address)
        return min(self._most_s, FIRST_S * 2.0 ** min(count - FREE - 1, 30)) if count > FREE else 0.0

    def is_slowed(self, address: str) -> bool:
        """Returns whether the answer to the next failure of this address would be delayed."""
        return self._failed.get(address, (0, 0.0))[0] >= FREE and self._most_s > 0

    async def delay(self, address: str) -> bool:
        """Counts a failure, and waits. Returns False at once if too many answers are already delayed."""
        delay = self.failed(address)
        if delay and self.crowded:
            return False
        if delay:
            self.delayed += 1
            try:
                await asyncio.sleep(delay)
            finally:
                self.delayed -= 1
        return True

    @property
    def crowded(self) -> bool:
        return self.delayed >= MAX_DELAYED

    def __len__(self) -> int:
        return len(self._failed)
