"""A candidate after its folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.compare.ensemble import Stack

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate after its folds. `model` is the estimator to clone; `scores` are those of each row in its test fold.

    If a fold failed, both are None, and `trouble` has the exception.
    """

    id: str
    model: Any
    scores: Array | None
    seconds: float
    trouble: str | None = None
    middle: float = 0.0  # the score from which on the second of two classes is said
    shares: Array | None = None  # probabilities of each row in its test fold, where they were asked for
    made: Stack | None = None  # of a stack, which is not fitted like others
