"""Finds copies of rows: a file that was joined to itself, or rare rows that were repeated to balance classes. Pure.

A model that has seen a row recognizes its copy, so a split must not put them on both sides. A sensor with a coarse
resolution repeats its values too; then rows that differ in only one feature are about as frequent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST = 10  # repeated distinct rows, also of each class: a class with a single value can only repeat it
SHARED = 2  # distinct rows with the same value, from which up the feature has a coarse resolution
MULTIPLE, MOST_TIMES = 0.95, 10  # share of the distinct rows that occur 2 to 10 times, or a multiple of that
ALONE = 0.5  # share of those that must have no row that differs in only one feature

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def copies(values: Array, labels: Codes, devices: Codes | None, times: Codes | None) -> Mask:
    """Marks rows that repeat an earlier row and its label. Equal readings in a row of one device are not copies."""
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
    """Marks the rows after the first part, if every row occurs equally often; None if not."""
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
    """Marks rows that occurred before, but not directly before."""
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
    """Marks rows in a run of equal rows that began with a row that occurred before."""
    begins = np.maximum.accumulate(np.where(stays, 0, np.arange(len(stays))))
    answer: Mask = found[begins]
    return answer


def _alone(rows: Codes, repeated: Codes) -> int:
    """Counts the `repeated` rows from which none of these distinct rows differs in exactly one feature."""
    beside, coarse = np.zeros(len(rows), bool), np.zeros(len(rows), np.int64)
    for column in range(rows.shape[1]):
        others = _numbered(np.delete(rows, column, axis=1))
        beside |= np.bincount(others)[others] > 1
        coarse += np.bincount(rows[:, column])[rows[:, column]] > SHARED
    beside |= coarse >= rows.shape[1] - 1  # the last feature may be computed from the others
    return int((~beside[repeated]).sum())


def _numbered(rows: Codes) -> Codes:
    """Returns the place of each row among the distinct rows."""
    found = np.zeros(len(rows), np.int64)
    for column in rows.T:
        found = np.unique(found * (int(column.max()) + 1) + column, return_inverse=True)[1]
    return found
