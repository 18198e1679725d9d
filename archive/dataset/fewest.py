"""The number of rows of a class that a run needs. Pure, and imports nothing heavy."""

from __future__ import annotations

import math

FOLDS = 5
HOLDOUT, DRAWN_HOLDOUT = 0.2, 0.3  # default shares of the rows, by stretches or drawn at random


def fewest_rows(folds: int, share: float) -> int:
    """Returns how many rows of a class are enough for one in each fold and one in the hold-out, after rounding."""
    return max(math.ceil(folds / (1 - share)), math.ceil(1 / share)) + 1
