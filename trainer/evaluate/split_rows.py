"""The rows that a model is fitted on, and the rows that it is tested on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows and text labels of both parts, and the classes in sorted order.

    `train` is in single precision, in which PyCaret fits its models: in double, a logistic regression that stops early
    gives different labels. `holdout` has the precision that devices send. If no row is held out, it is a part of the
    training rows: enough to compare answers, but not to judge a model.
    """

    train: NDArray[np.floating[Any]]
    train_labels: tuple[str, ...]
    holdout: NDArray[np.float64]
    holdout_labels: tuple[str, ...]
    classes: tuple[str, ...]
