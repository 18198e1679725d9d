"""Finds features that rise or fall throughout the data: counters, clocks, charges, and sensors that drift. Pure.

Later rows have values of them that no model has learned. Stretches of the same period do not show what a model does
there, so scores on them say nothing about it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THROUGHOUT = 0.9  # rank correlation with the time, from which up later values lie almost all beyond earlier ones
FEWEST_ROWS = 30  # of a device
MAX_ROWS, MAX_DEVICES = 2_000, 50  # of a device, and the longest ones

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


def trends(values: Array, devices: Codes | None, times: Codes) -> dict[int, str]:
    """Returns the features (by place) that rise or fall on most devices, and which of the two."""
    codes = np.zeros(len(times), np.int64) if devices is None else devices
    order = np.lexsort((times, codes))
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    longest = [part for part in sorted(parts, key=len, reverse=True)[:MAX_DEVICES] if len(part) >= FEWEST_ROWS]
    found = {}
    for place in range(values.shape[1]):
        each = [_correlation(_thinned(values[part, place])) for part in longest]
        middle = float(np.median(each)) if each else 0.0
        if abs(middle) >= THROUGHOUT:
            found[place] = "rises" if middle > 0 else "falls"
    return found


def _thinned(column: Array) -> Array:
    known = column[~np.isnan(column)]
    found: Array = known[np.unique(np.linspace(0, len(known) - 1, min(len(known), MAX_ROWS)).round().astype(int))]
    return found


def _correlation(column: Array) -> float:
    """Returns the rank correlation of values with their order (Spearman); 0 for a constant feature."""
    if len(column) < FEWEST_ROWS or column.min() == column.max():
        return 0.0
    _, where, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]  # equal values share their mean rank
    return float(np.corrcoef(ranks, np.arange(len(column)))[0, 1])
