"""Chooses the threshold: the probability from which up a row counts as positive. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zelador.errors import InvalidInput

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Aim:
    """What the threshold is chosen by: the costs of the errors, or the recall to keep.

    `missed` is the cost of a missed positive row, `false_alarm` the cost of a false alarm, both in the same unit.
    """

    missed: float = 1.0
    false_alarm: float = 1.0
    recall: float | None = None

    @property
    def words(self) -> str | None:
        """What the threshold serves; None if nothing was asked for."""
        if self.recall is not None:
            return "this recall"
        return None if self.missed == self.false_alarm else "these costs"

    def check(self, classes: int) -> None:
        """Raises InvalidInput if the aim is invalid, or if there are not two classes."""
        if self.recall is None and self.missed == self.false_alarm == 1.0:
            return
        if classes != 2:
            raise InvalidInput(f"a cost or a recall needs exactly two classes; there are {classes}")
        if self.recall is not None and not 0 < self.recall <= 1:
            raise InvalidInput(f"--recall {self.recall:g}: must be above 0, and at most 1")
        if self.recall is not None and not self.missed == self.false_alarm == 1.0:
            raise InvalidInput("name --recall, or --cost-missed and --cost-false-alarm, not both")
        if not (self.missed > 0 and self.false_alarm > 0 and np.isfinite([self.missed, self.false_alarm]).all()):
            raise InvalidInput("--cost-missed and --cost-false-alarm must be above 0")


def choose(shares: Array, is_positive: NDArray[np.bool_], aim: Aim) -> float:
    """Returns the threshold for `shares`, the calibrated probabilities of the positive class.

    With costs, it is the probability at which both errors have the same expected cost. With a recall, it is the highest
    threshold that still finds that share of the positive rows.
    """
    if aim.recall is None:
        return round(aim.false_alarm / (aim.false_alarm + aim.missed), 6)
    found = np.sort(shares[is_positive])[::-1]
    if not len(found):
        return 0.5
    lowest = found[int(np.ceil(aim.recall * len(found))) - 1]
    below = shares[shares < lowest]
    # Halfway between two values that occur, so that rounding to single precision changes no answer.
    return float((lowest + (below.max() if len(below) else 0.0)) / 2)


def cross(shares: Array, is_positive: NDArray[np.bool_], folds: Codes, aim: Aim) -> NDArray[np.bool_]:
    """Marks the rows that count as positive, by a threshold that was chosen without the rows of the same fold."""
    found = np.zeros(len(shares), bool)
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = shares[here] >= choose(shares[~here], is_positive[~here], aim)
    return found
