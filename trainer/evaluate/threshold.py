"""From which probability of the positive class on a row counts as positive. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zelador.errors import InvalidInput

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Aim:
    """What the threshold is chosen by: what an error costs, or the recall to keep.

    A missed row of the positive class costs `missed`, a false alarm `false_alarm`, in any unit.
    """

    missed: float = 1.0
    false_alarm: float = 1.0
    recall: float | None = None

    def check(self, classes: int) -> None:
        """Raises InvalidInput."""
        if self.recall is None and self.missed == self.false_alarm == 1.0:
            return
        if classes != 2:
            raise InvalidInput(f"a cost or a recall chooses a threshold between two classes; there are {classes}")
        if self.recall is not None and not 0 < self.recall <= 1:
            raise InvalidInput(f"--recall {self.recall:g}: must be above 0, and at most 1")
        if self.recall is not None and not self.missed == self.false_alarm == 1.0:
            raise InvalidInput("name --recall, or --cost-missed and --cost-false-alarm, not both")
        if not (self.missed > 0 and self.false_alarm > 0 and np.isfinite([self.missed, self.false_alarm]).all()):
            raise InvalidInput("--cost-missed and --cost-false-alarm must be above 0")


def choose(shares: Array, is_positive: NDArray[np.bool_], aim: Aim) -> float:
    """The threshold for calibrated probabilities `shares` of the positive class.

    By cost it follows from the costs alone, as an alarm is worth it from the probability on at which the expected
    costs are equal. To keep a recall, it is the highest threshold that still finds so many of the positive rows.
    """
    if aim.recall is None:
        return round(aim.false_alarm / (aim.false_alarm + aim.missed), 6)
    found = np.sort(shares[is_positive])[::-1]
    if not len(found):
        return 0.5
    lowest = found[int(np.ceil(aim.recall * len(found))) - 1]
    below = shares[shares < lowest]
    # Between two values that occur: single precision must not tip a row over.
    return float((lowest + (below.max() if len(below) else 0.0)) / 2)


def cross(shares: Array, is_positive: NDArray[np.bool_], folds: Codes, aim: Aim) -> NDArray[np.bool_]:
    """Which rows count as positive, each by a threshold that was chosen without the rows of its fold."""
    found = np.zeros(len(shares), bool)
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = shares[here] >= choose(shares[~here], is_positive[~here], aim)
    return found
