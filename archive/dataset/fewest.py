"""How many rows it takes to test what is learned. Pure, and imports nothing heavy."""

from __future__ import annotations

import math

FOLDS = 5
HOLDOUT, DRAWN_HOLDOUT = 0.2, 0.3  # shares, where the settings give none


def fewest_rows(folds: int, share: float) -> int:
    """How many rows of a class put at least one into each fold and into the hold-out, after rounding."""
    return max(math.ceil(folds / (1 - share)), math.ceil(1 / share)) + 1
