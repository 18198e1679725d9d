"""Shared memory through which the processes of a run communicate: counters with one writer each, without a lock.

A message per reading would cost more than what is measured. A counter is eight aligned bytes, so a write is atomic.
"""

from __future__ import annotations

import mmap
import time
from array import array
from pathlib import Path

# The load writes SENT, DUE, ACKED, LOAD_READY; the subscriber RECEIVED, REPEATED, SUBSCRIBER_READY; the run GO, STOP.
SENT, DUE, ACKED, RECEIVED, REPEATED, LOAD_READY, SUBSCRIBER_READY, GO, STOP = range(9)
HEADER = 16


class Board:
    """Counters, and for each reading the times when it was sent and received (monotonic ns, 0: not yet)."""

    def __init__(self, path: Path, count: int, make: bool = False) -> None:
        size = 8 * (HEADER + 2 * count)
        if make:
            with path.open("wb") as file:
                file.truncate(size)
        with path.open("r+b") as file:
            memory = mmap.mmap(file.fileno(), size)
        whole = memoryview(memory).cast("q")
        self.count = count
        self.counters = whole[:HEADER]
        self.sent_at = whole[HEADER : HEADER + count]
        self.received_at = whole[HEADER + count :]

    def __getitem__(self, counter: int) -> int:
        return self.counters[counter]

    def __setitem__(self, counter: int, value: int) -> None:
        self.counters[counter] = value

    def mark_sent(self, first: int, last: int) -> None:
        """Records that the readings from `first` up to, but not including, `last` are sent now."""
        self.sent_at[first:last] = memoryview(array("q", [time.monotonic_ns()]) * (last - first))
        self.counters[SENT] = last

    def wait_for(self, counter: int, within_s: float) -> bool:
        """Waits until `counter` is set. False if it is not set in time, or STOP is."""
        deadline = time.monotonic() + within_s
        while not self.counters[counter]:
            if self.counters[STOP] or time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True
