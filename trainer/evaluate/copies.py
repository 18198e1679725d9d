"""Rows that are copies of other rows: a file that was joined to itself, or rare rows repeated to balance classes. Pure.

A model that has seen one of them knows the other by heart, so that no split may put them on both sides. A sensor that
counts in coarse steps repeats its values too; then rows that differ in one feature only are about as frequent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 10  # distinct rows that are repeated; of a class, too: a class that is one value has nothing else to send
SHARED = 2  # distinct rows that have a value: then its feature counts in coarse steps
MULTIPLE, MOST_TIMES = 0.95, 10  # share of the distinct rows that are there 2 to 10 times, or a multiple of it
ALONE = 0.5  # of those, that must have no row beside them that differs in one feature

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def copies(values: Array, labels: Codes, devices: Codes | None, times: Codes | None) -> Mask:
    """The rows that repeat an earlier one, with its label. What a device sends again and again in a row is no copy."""
    count, width = values.shape
    none = np.zeros(count, bool)
    if width < 2 or count < 2 * FEWEST:
        return none
    places = np.stack([np.unique(column, return_inverse=True)[1] for column in values.T], axis=1)
    rows = _numbered(places)
    if len(np.unique(rows)) == count:
        return none
    pairs = _numbered(np.stack([rows, labels], axis=1))
    if (whole := _whole(pairs)) is not None:
        return whole
    again = _again(pairs, devices, times)
    firsts = np.unique(rows, return_index=True)[1]
    repeated = np.unique(rows[again])
    if len(repeated) < FEWEST or _alone(places[firsts], repeated) < ALONE * len(repeated):
        return none
    for label in np.unique(labels):
        of_it = labels == label
        if len(np.unique(rows[of_it])) < FEWEST:
            again[of_it] = False
    return again


def _whole(pairs: Codes) -> Mask | None:
    """The rows beyond the first part, if all of them are there `times` times; None if they are not."""
    counts = np.bincount(pairs)
    if len(counts) < 2 * FEWEST:
        return None
    for times in range(MOST_TIMES, 1, -1):
        if float((counts % times == 0).mean()) >= MULTIPLE:
            order = np.argsort(pairs, kind="stable")
            nth = np.empty(len(pairs), np.int64)
            nth[order] = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
            found: Mask = nth >= np.maximum(1, counts // times)[pairs]
            return found
    return None


def _again(pairs: Codes, devices: Codes | None, times: Codes | None) -> Mask:
    """The rows that came before, and not right before."""
    keys = [key for key in (times, devices) if key is not None]
    order = np.lexsort(keys) if times is not None else np.arange(len(pairs))
    sorted_pairs = pairs[order]
    found = np.ones(len(pairs), bool)
    found[order[np.unique(sorted_pairs, return_index=True)[1]]] = False
    if times is not None:
        stays = np.diff(sorted_pairs, prepend=-1) == 0
        found[order[stays & ~_after_copy(found[order], stays)]] = False
    return found


def _after_copy(found: Mask, stays: Mask) -> Mask:
    """Of each row, whether the run of equal rows that it is in began with a row that was there before."""
    begins = np.maximum.accumulate(np.where(stays, 0, np.arange(len(stays))))
    answer: Mask = found[begins]
    return answer


def _alone(rows: Codes, repeated: Codes) -> int:
    """How many of the `repeated` of these distinct rows have none that differs from them in exactly one feature."""
    beside, coarse = np.zeros(len(rows), bool), np.zeros(len(rows), np.int64)
    for column in range(rows.shape[1]):
        others = _numbered(np.delete(rows, column, axis=1))
        beside |= np.bincount(others)[others] > 1
        coarse += np.bincount(rows[:, column])[rows[:, column]] > SHARED
    beside |= coarse >= rows.shape[1] - 1  # the last one may be computed from them
    return int((~beside[repeated]).sum())


def _numbered(rows: Codes) -> Codes:
    """Each row as its place among the distinct ones."""
    found = np.zeros(len(rows), np.int64)
    for column in rows.T:
        found = np.unique(found * (int(column.max()) + 1) + column, return_inverse=True)[1]
    return found
