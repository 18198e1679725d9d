"""Finds rows that are almost equal to rows of another time: copied, and then jittered or rounded. Pure.

A model that has seen a row recognizes its near copy, so a split that has them on both sides flatters it. Of rows that
were measured, the next neighbor is almost never ten times as far as the one before: with d independent features, the
ratio of the distances exceeds r in a share r^-d of the rows (Facco et al., Scientific Reports 7, 2017). Around a near
copy it does. Neighbors in time do not count, because a split does not divide them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

RATIO = 10  # of the distances, from which up the nearer neighbors are near copies
MOST_COPIES = 8  # of a row
SHARE = 0.2  # of the rows; with a single independent feature a tenth has such neighbors by chance
BESIDE = 20  # rows: so close in time, rows may be almost equal
FEWEST_ROWS = 200
MAX_ROWS, MAX_ASKED = 50_000, 1_000

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


def near_copies(values: Array, devices: Codes | None, times: Codes | None) -> float:
    """Returns the share of rows that have near copies at another time; 0 if it is no more than chance explains."""
    keys = [key for key in (times, devices) if key is not None]
    rows = values[np.lexsort(keys)] if keys else values
    if len(rows) > MAX_ROWS or len(rows) < FEWEST_ROWS:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.where(np.isnan(rows), 0.0, rows - _means(rows))
        spread = rows.std(axis=0)
        rows = rows[:, (spread > 0) & np.isfinite(spread)] / spread[(spread > 0) & np.isfinite(spread)]
    if rows.shape[1] < 2:
        return 0.0
    asked = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MAX_ASKED)).round().astype(int))
    distances, places = cKDTree(rows).query(rows[asked], MOST_COPIES + 2)
    near, beyond = distances[:, 1:-1], distances[:, 2:]
    is_known = near[:, 0] > 0  # equal rows are those of a coarse sensor, or copies proper
    is_far = np.logical_or.accumulate(np.abs(places[:, 1:-1] - asked[:, None]) > BESIDE, axis=1)
    found = ((beyond > RATIO * near) & is_far).any(axis=1) & is_known
    share = float(found.sum() / len(asked))
    return share if share >= SHARE else 0.0


def _means(rows: Array) -> Array:
    known = ~np.isnan(rows)
    means: Array = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(1, known.sum(axis=0))
    return means
