"""Counts the errors by threshold, so that a threshold for other costs can be found after the run. Pure."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.scores import Answers, positive_place

# Finer near 0 and 1, where the thresholds of very unequal costs are.
THRESHOLDS = (0.001, 0.002, 0.005, *(round(step / 100, 2) for step in range(1, 100)), 0.995, 0.998, 0.999)


class Counts(TypedDict):
    """Errors by threshold; a row at or above the threshold counts as positive."""

    rows: int
    positives: int
    missed: list[int]
    false_alarms: list[int]


class ErrorCounts(TypedDict):
    """The errors of two classes. `folds`: on training rows, by models that had not seen them; a threshold is chosen
    there. `held_out`: on the hold-out; None without one."""

    positive: str
    threshold: list[float]
    folds: Counts
    held_out: Counts | None


def error_counts(folds: Answers, held_out: Answers | None) -> ErrorCounts | None:
    """Returns the counts; None with more than two classes, without probabilities, or if a class has no row."""
    if folds.positive is None or (found := _counts(folds)) is None:
        return None
    return ErrorCounts(
        positive=folds.positive,
        threshold=list(THRESHOLDS),
        folds=found,
        held_out=None if held_out is None else _counts(held_out),
    )


def _counts(answers: Answers) -> Counts | None:
    place = positive_place(answers)
    if answers.probabilities is None or place is None:
        return None
    shares, is_positive = answers.probabilities[:, place], answers.expected == place
    if is_positive.all() or not is_positive.any():
        return None
    return Counts(
        rows=len(shares),
        positives=int(is_positive.sum()),
        missed=_below(shares[is_positive]),
        false_alarms=[int((~is_positive).sum()) - count for count in _below(shares[~is_positive])],
    )


def _below(shares: NDArray[np.float64]) -> list[int]:
    """Returns how many are below each threshold."""
    found: list[int] = np.searchsorted(np.sort(shares), THRESHOLDS, side="left").tolist()
    return found
