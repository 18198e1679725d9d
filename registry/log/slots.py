"""The slots of a log in a store: reads those that follow one, and claims the next. Knows nothing of their content."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from registry.errors import OutcomeUnknown
from registry.log import entry as log_entry
from registry.store import Store, Uncertain
from zelador.errors import Unavailable
from zelador.retry import backoff

SINGLE_READS = 4  # entries to read one by one before reading the rest in parallel
PARALLEL_READS = 16  # a bucket answers one read in tens of milliseconds
TRIES = 500
FIRST_S, CAP_S = 0.002, 0.25


def tail(store: Store, seq: int, ahead: tuple[int, bytes] | None = None) -> Iterator[bytes]:
    """The entries from `seq` on: the first few one by one, the rest with parallel reads.

    `ahead` is an entry that was read already, with its number.
    """
    for number in range(seq, seq + SINGLE_READS):
        data = ahead[1] if ahead and ahead[0] == number else store.read(log_entry.key(number))
        if data is None:
            return
        yield data
    seq += SINGLE_READS
    items = store.list(log_entry.FOLDER, log_entry.key(seq - 1))
    keys = (item.key for item in items if log_entry.FILE.match(item.key.removeprefix(f"{log_entry.FOLDER}/")))
    with ThreadPoolExecutor(PARALLEL_READS, "log-tail") as pool:
        while block := list(islice(keys, 64 * PARALLEL_READS)):
            for key, found in zip(block, pool.map(store.read, block), strict=True):
                if key != log_entry.key(seq) or found is None:
                    return  # a gap: entries after it are not part of the chain
                yield found
                seq += 1


def claim(
    store: Store, entry: log_entry.Entry, data: bytes, deadline: float, wait: Callable[[float], None] = time.sleep
) -> bytes | None:
    """None if the entry's slot has `data` now; the other writer's bytes if it was taken.

    Raises OutcomeUnknown (with the commit id), Unavailable.
    """
    slot = log_entry.key(entry.seq)
    unknown = f"it is unknown whether the change was made; look for commit {entry.commit} from {slot} on"
    for attempt in range(1, TRIES + 1):
        try:
            if store.create(slot, data):
                return None
        except Uncertain:
            pass  # outcome unknown: read the slot to find out
        try:
            found = store.read(slot)
        except Unavailable as error:
            raise OutcomeUnknown(f"{unknown} ({error})") from None
        if found == data:
            return None
        if found is not None:
            return found
        if time.monotonic() > deadline:
            break
        wait(backoff(attempt, first=FIRST_S, cap=CAP_S))
    raise OutcomeUnknown(f"{unknown} before you try again: the slot could be neither written nor read")
