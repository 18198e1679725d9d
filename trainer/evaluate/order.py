"""What the order of the rows says, where no time is known: are neighbors alike? Pure.

Rows are mostly written as they were measured. A random split of such rows tests models on neighbors of what they know.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Order = Literal["none", "time", "unclear"]
ALIKE = 0.2  # correlation of neighbors from which on rows are not independent
SURE = 4.0  # standard errors
FEWEST_RUNS = 4  # of a class, to test it on another one: a file may be sorted by class
FEWEST = 50  # rows
SORTED = 0.99  # of a feature's steps in one direction: a file may be sorted by it

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


def order_of(values: Array, labels: Codes) -> Order:
    """`time`: neighbors are alike, so that the order is like one of time; `unclear`: they are, in sorted rows.

    `none`: nothing is to be seen of an order.
    """
    if len(labels) < FEWEST:
        return "none"
    begins = np.flatnonzero(np.diff(labels, prepend=-1))
    runs = np.bincount(labels[begins])
    is_by_class = bool((runs[runs > 0] < FEWEST_RUNS).any())
    if not any(_are_alike(column, labels) for column in values.T) and (is_by_class or not _last(labels, len(begins))):
        return "none"
    return "unclear" if is_by_class or any(_is_sorted(column) for column in values.T) else "time"


def _are_alike(column: Array, labels: Codes) -> bool:
    """Are neighbors of the same class alike?"""
    known = ~np.isnan(column)
    pairs = np.flatnonzero(known[1:] & known[:-1] & (labels[1:] == labels[:-1]))
    if len(pairs) < FEWEST / 2:
        return False
    counts = np.maximum(1, np.bincount(labels[known]))
    means = np.bincount(labels[known], weights=column[known], minlength=len(counts)) / counts
    centered = column - means[labels]
    spread = float(np.nanmean(centered**2))
    if not spread > 0:
        return False
    correlation = float((centered[pairs] * centered[pairs + 1]).mean()) / spread
    return bool(correlation > max(ALIKE, SURE / np.sqrt(len(pairs))))


def _last(labels: Codes, runs: int) -> bool:
    """Do classes last longer than labels at random would?"""
    shares = np.bincount(labels) / len(labels)
    changes = float(1 - (shares**2).sum())
    found, error = (runs - 1) / (len(labels) - 1), np.sqrt(changes * (1 - changes) / (len(labels) - 1))
    return bool(changes - found > max(ALIKE * changes, SURE * error))


def _is_sorted(column: Array) -> bool:
    steps = np.diff(column[~np.isnan(column)])
    moved = steps[steps != 0]
    return len(moved) > 0 and max(float((moved > 0).mean()), float((moved < 0).mean())) >= SORTED
