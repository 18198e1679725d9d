"""Decides whether the order of the rows stands for an unknown time: are neighboring rows alike? Pure.

Most files have their rows in the order of measurement. A random split would test models on neighbors of known rows.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Order = Literal["none", "time", "unclear"]
ALIKE = 0.2  # correlation of neighboring rows, from which up they are not independent
SURE = 4.0  # standard errors
FEWEST_RUNS = 4  # per class, so that one can test another; with fewer, the file may be sorted by class
FEWEST = 50  # rows
SORTED = 0.99  # share of a feature's steps in one direction, from which up the file is sorted by it

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


def order_of(values: Array, labels: Codes) -> Order:
    """Returns `time` if neighboring rows are alike, as in an order of time, `unclear` if so but the rows are sorted.

    Returns `none` if there is no sign of an order.
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
    """Returns whether neighboring rows of the same class are alike."""
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
    """Returns whether runs of a class are longer than with random labels."""
    shares = np.bincount(labels) / len(labels)
    changes = float(1 - (shares**2).sum())
    found, error = (runs - 1) / (len(labels) - 1), np.sqrt(changes * (1 - changes) / (len(labels) - 1))
    return bool(changes - found > max(ALIKE * changes, SURE * error))


def _is_sorted(column: Array) -> bool:
    steps = np.diff(column[~np.isnan(column)])
    moved = steps[steps != 0]
    return len(moved) > 0 and max(float((moved > 0).mean()), float((moved < 0).mean())) >= SORTED
