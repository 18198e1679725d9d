"""The metrics, from labels, predictions and probabilities; and the counts that the bootstrap computes them from. Pure.

With two classes, Recall, Precision, F1 and PR-AUC are those of the positive class: the rarer one, unless it is named.
With more, they are means over the classes, weighted by the rows of each, and AUC is one class against the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zelador.errors import InvalidInput
from zelador.model_metrics import FROM_PROBABILITIES, METRICS

DECIMALS = 6

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Scores = dict[str, float | None]  # by metric; None where a metric is not defined


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model answered on rows with known labels. `expected` and `predicted` are places in `classes`.

    `probabilities` is (rows, classes); None for a model without any. `positive` is None unless there are two classes.
    """

    expected: Codes
    predicted: Codes
    probabilities: Array | None
    classes: tuple[str, ...]
    positive: str | None

    @classmethod
    def of(
        cls,
        expected: Sequence[str],
        predicted: Sequence[str],
        classes: Sequence[str],
        probabilities: Array | None = None,
        positive: str | None = None,
    ) -> Self:
        """Makes Answers from labels as text. Raises InvalidInput for a label that is not among `classes`."""
        places = {label: place for place, label in enumerate(classes)}
        if unknown := {*expected, *predicted} - places.keys():
            raise InvalidInput(f"{min(unknown)!r} is not a class of the model; it has {', '.join(classes)}")
        codes = np.fromiter((places[label] for label in expected), np.int64, len(expected))
        answers = np.fromiter((places[label] for label in predicted), np.int64, len(predicted))
        return cls(codes, answers, probabilities, tuple(classes), positive_of(codes, classes, positive))

    def __len__(self) -> int:
        return len(self.expected)

    def at(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """The answers on only the rows with these numbers, or where the mask is true."""
        shares = None if self.probabilities is None else self.probabilities[rows]
        return type(self)(self.expected[rows], self.predicted[rows], shares, self.classes, self.positive)


def positive_of(expected: Codes, classes: Sequence[str], asked: str | None = None) -> str | None:
    """The positive one of two classes: `asked`, or the rarer one (the later if both are equal). None with more classes.

    Raises InvalidInput if `asked` is not one of the classes, or if there are more than two.
    """
    if asked is not None and asked not in classes:
        raise InvalidInput(f"--positive {asked}: there is no such class; choose from {', '.join(classes)}")
    if len(classes) != 2:
        if asked is not None:
            raise InvalidInput(f"--positive {asked}: there are {len(classes)} classes; only one of two is the positive")
        return None
    if asked is not None:
        return asked
    second = int((expected == 1).sum())
    return classes[1] if second <= len(expected) - second else classes[0]


def scores(answers: Answers) -> Scores:
    """All metrics; None where one is not defined: without probabilities, or where the rows hold one class only."""
    everything = np.zeros(len(answers), np.int64)
    found = from_counts(confusions(answers, everything, 1), positive_place(answers))
    found |= from_histograms(histograms(answers, everything, 1), answers)
    return {metric: _known(found[metric][0]) for metric in METRICS}


def confusion(answers: Answers) -> list[list[int]]:
    """Counts: a row for each true class, a column for each predicted class, in the order of the classes."""
    table: list[list[int]] = confusions(answers, np.zeros(len(answers), np.int64), 1)[0].astype(int).tolist()
    return table


def positive_place(answers: Answers) -> int | None:
    return None if answers.positive is None else answers.classes.index(answers.positive)


# ── from counts, for many resamples at once: the first dimension of every array is the resample ──────────────────────


def confusions(answers: Answers, units: Codes, count: int) -> Array:
    """The confusion table of each unit, (units, true, predicted). `units` has a number below `count` for each row."""
    width = len(answers.classes)
    cells = (units * width + answers.expected) * width + answers.predicted
    return np.bincount(cells, minlength=count * width * width).reshape(count, width, width).astype(np.float64)


def confusion_of(expected: Codes, predicted: Codes, width: int) -> Array:
    """The confusion table of all rows, (true, predicted), for `width` classes."""
    counts = np.bincount(expected * width + predicted, minlength=width * width)
    return counts.reshape(width, width).astype(np.float64)


def from_counts(tables: Array, positive: int | None) -> dict[str, Array]:
    """The metrics of the predicted classes; NaN where one is not defined. `tables` is (resamples, true, predicted)."""
    total = tables.sum(axis=(1, 2))
    true, predicted, hits = tables.sum(axis=2), tables.sum(axis=1), np.diagonal(tables, axis1=1, axis2=2)
    right = hits.sum(axis=1)
    chance = (true * predicted).sum(axis=1)
    several = (true > 0).sum(axis=1) > 1  # a single class does not show whether classes are told apart
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = (total * right - chance) / (total * total - chance)
        spread = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
        mcc = np.where(spread > 0, (total * right - chance) / np.sqrt(np.maximum(spread, 1e-300)), 0.0)
        recall = hits / true
        precision = np.where(predicted > 0, hits / predicted, 0.0)
        f1 = 2 * hits / (true + predicted)
        accuracy = right / total
    found = {
        "Accuracy": accuracy,
        "Kappa": np.where(several, kappa, np.nan),
        "MCC": np.where(several, mcc, np.nan),
    }
    for metric, by_class in (("Recall", recall), ("Precision", precision), ("F1", f1)):
        found[metric] = _weighted(np.where(true > 0, by_class, np.nan), true, positive)
    return found


def histograms(answers: Answers, units: Codes, count: int, bins: int | None = None) -> list[tuple[Array, Array]]:
    """The counts for each class with an area: (rows of it, other rows) by unit and probability, lowest first.

    Each distinct probability has a bin of its own, unless there are more than `bins`: then bins of equally many rows.
    """
    if answers.probabilities is None:
        return []
    place = positive_place(answers)
    found = []
    for number in range(len(answers.classes)) if place is None else [place]:
        at = ranked(answers.probabilities[:, number], bins)
        width = int(at.max()) + 1 if len(at) else 1
        cells, is_it = units * width + at, answers.expected == number
        sides = [np.bincount(cells[side], minlength=count * width).reshape(count, width) for side in (is_it, ~is_it)]
        found.append((sides[0].astype(np.float64), sides[1].astype(np.float64)))
    return found


def from_histograms(found: Sequence[tuple[Array, Array]], answers: Answers) -> dict[str, Array]:
    """AUC and PR-AUC (average precision); NaN where they are not defined."""
    if not found:
        return {metric: np.full(1, np.nan) for metric in FROM_PROBABILITIES}
    areas, precisions, rows = [], [], []
    for inside, outside in found:
        positives, negatives = inside.sum(axis=1), outside.sum(axis=1)
        below = np.cumsum(outside, axis=1) - outside / 2
        from_top, above = np.cumsum(inside[:, ::-1], axis=1), np.cumsum(outside[:, ::-1], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            areas.append((inside * below).sum(axis=1) / (positives * negatives))
            precision = np.where(from_top > 0, from_top / (from_top + above), 0.0)
            average = (inside[:, ::-1] * precision).sum(axis=1) / positives
        precisions.append(np.where(negatives > 0, average, np.nan))
        rows.append(positives)
    place = 0 if len(found) == 1 else None
    weights = np.stack(rows, axis=1)
    return {
        "AUC": _weighted(np.stack(areas, axis=1), weights, place),
        "PR-AUC": _weighted(np.stack(precisions, axis=1), weights, place),
    }


def ranked(values: Array, bins: int | None) -> Codes:
    """The rank of each value among the distinct values; its bin of `bins` equally full ones if there are more."""
    distinct, places = np.unique(values, return_inverse=True)
    if bins is None or len(distinct) <= bins:
        return places.astype(np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def _weighted(by_class: Array, rows: Array, positive: int | None) -> Array:
    """The value of the positive class, or the mean over the classes, weighted by their rows."""
    if positive is not None:
        return by_class[:, positive]
    weights = np.where(np.isnan(by_class), 0.0, rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Array = np.nansum(by_class * weights, axis=1) / weights.sum(axis=1)
    return found


def _known(value: float) -> float | None:
    return round(float(value), DECIMALS) if math.isfinite(value) else None
