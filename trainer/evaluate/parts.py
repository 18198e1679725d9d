"""The rows that a model is fitted on, and those that it is asked afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows and text labels of both parts, and the classes in sorted order.

    `train` has the precision that PyCaret fitted its models in (single): in double precision, a logistic regression
    that stops early gives different labels. `holdout` has the precision that devices send. Where nothing is held out,
    it is a part of the training rows: enough to compare answers on, not to judge a model by.
    """

    train: NDArray[np.floating[Any]]
    train_labels: tuple[str, ...]
    holdout: NDArray[np.float64]
    holdout_labels: tuple[str, ...]
    classes: tuple[str, ...]
