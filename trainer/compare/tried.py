"""The result of a candidate in the folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.compare.ensemble import Stack

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a candidate in the folds. `model` is the estimator to clone; `scores` has a row per training row.

    Each row is scored in its test fold. If a fold failed, both are None, and `trouble` has the exception.
    """

    id: str
    model: Any
    scores: Array | None
    seconds: float
    trouble: str | None = None
    middle: float = 0.0  # of two classes, the second is predicted from this score up
    shares: Array | None = None  # probabilities of each row in its test fold, if they were requested
    made: Stack | None = None  # only of a stack, which is fitted in its own way
