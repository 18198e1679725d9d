"""The two parts of a data set: rows to fit on, and rows to evaluate on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows and text labels of both parts, and the classes in sorted order.

    `train` has the precision that PyCaret fitted its models in (single): in double precision, a logistic regression
    that stops early gives different labels. `holdout` has the precision that devices send.
    """

    train: NDArray[np.floating[Any]]
    train_labels: tuple[str, ...]
    holdout: NDArray[np.float64]
    holdout_labels: tuple[str, ...]
    classes: tuple[str, ...]
