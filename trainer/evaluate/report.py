"""Computes the report of a candidate (report/report.json beside the model): the numbers behind the plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.scores import Answers, confusion, positive_of
from trainer.evaluate.error_counts import ErrorCounts
from trainer.evaluate.false_alarms import FalseAlarms
from trainer.evaluate.groups import ByDevice, ClassScores, by_class
from trainer.evaluate.learning import Learning
from trainer.evaluate.split_rows import Parts
from trainer.evaluate.threshold import Aim

FORMAT = 1
FILE = "report.json"
POINTS = 101  # of a curve, at most
BINS = 10  # of the calibration
RANGE_BINS = 24  # of the values of a feature
REPEATS = 5  # shuffles of each feature
IMPORTANCE_ROWS = 500  # rows of the hold-out to shuffle, at most
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))

Rows = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Roc(TypedDict):
    """False and true positive rate at the same thresholds, and the area under the curve."""

    false_alarms: list[float]
    found: list[float]
    area: float


class PrecisionRecall(TypedDict):
    """Precision and recall at the same thresholds, and the average precision (PR-AUC)."""

    recall: list[float]
    precision: list[float]
    area: float


class Calibration(TypedDict):
    """Mean predicted probability, observed rate, and number of rows of each bin that has rows.

    `error` is the expected calibration error: the mean difference of the first two, weighted by rows.
    """

    said: list[float]
    was: list[float]
    rows: list[int]
    error: float


class Thresholds(TypedDict):
    """Scores by threshold. Precision is None if no row reaches the threshold.

    `cost` is the cost of the errors in 1,000 rows, in the unit of the costs in the request (by default each error costs
    1). `chosen` is the model's own threshold.
    """

    threshold: list[float]
    precision: list[float | None]
    recall: list[float]
    f1: list[float]
    cost: list[float]
    costs: list[float]  # [of a missed row, of a false alarm]
    chosen: float | None
    recall_kept: float | None
    false_alarms: FalseAlarms | None  # with the chosen threshold; None without times


class FeatureImportance(TypedDict):
    """How much the metric drops if the feature is shuffled: mean and standard deviation over the repeats."""

    feature: str
    mean: float
    spread: float


class Importance(TypedDict):
    metric: str
    rows: int
    repeats: int
    features: list[FeatureImportance]  # the most important first


class Range(TypedDict):
    """The range of a feature in the training rows. `missing` is the fraction of rows without a value."""

    minimum: float
    p1: float
    median: float
    p99: float
    maximum: float
    missing: float
    counts: list[int]  # in RANGE_BINS bins of equal width; empty if all values are the same


class Report(TypedDict):
    """The report. Curves are by class, each against the rest; of two classes, only the positive one has curves."""

    format: int
    rows: int
    classes: list[str]
    confusion: list[list[int]]
    roc: dict[str, Roc]
    precision_recall: dict[str, PrecisionRecall]
    calibration: dict[str, Calibration]
    threshold: dict[str, Thresholds]
    errors: ErrorCounts | None  # None with more than two classes
    by_class: list[ClassScores]
    by_device: ByDevice | None  # None if devices are not known
    learning: Learning | None
    no_learning: str | None  # why there is no learning curve
    importance: Importance
    training: dict[str, Range]


@dataclass(frozen=True, slots=True)
class Beside:
    """The data that the report needs besides a model's answers."""

    aim: Aim = field(default_factory=Aim)
    chosen: float | None = None  # the threshold
    by_device: ByDevice | None = None
    learning: Learning | str = "It was not computed."  # or why there is none
    false_alarms: FalseAlarms | None = None
    errors: ErrorCounts | None = None


def report(
    pipeline: Any, split: Parts, answers: Answers, features: Sequence[str], seed: int, beside: Beside | None = None
) -> Report:
    """Evaluates `pipeline`, a fitted estimator, by its `answers`. Without probabilities, there are no curves."""
    beside = beside or Beside()
    probabilities = answers.probabilities
    roc_curves: dict[str, Roc] = {}
    precisions: dict[str, PrecisionRecall] = {}
    calibrations: dict[str, Calibration] = {}
    thresholds: dict[str, Thresholds] = {}
    for index, name in enumerate(split.classes):
        if answers.positive not in (None, name):
            continue
        is_positive = answers.expected == index
        if probabilities is None or is_positive.all() or not is_positive.any():
            continue  # a curve needs rows of this class and of another
        probability = probabilities[:, index]
        roc_curves[name] = roc(is_positive, probability)
        precisions[name] = precision_recall(is_positive, probability)
        calibrations[name] = calibration(is_positive, probability)
        thresholds[name] = by_threshold(is_positive, probability, beside.aim, beside.chosen, beside.false_alarms)
    return Report(
        format=FORMAT,
        rows=len(answers),
        classes=list(split.classes),
        confusion=confusion(answers),
        roc=roc_curves,
        precision_recall=precisions,
        calibration=calibrations,
        threshold=thresholds,
        errors=beside.errors,
        by_class=by_class(answers),
        by_device=beside.by_device,
        learning=None if isinstance(beside.learning, str) else beside.learning,
        no_learning=beside.learning if isinstance(beside.learning, str) else None,
        importance=importance(pipeline, split, features, seed),
        training=ranges(split.train, features),
    )


def roc(is_positive: Mask, probability: Rows) -> Roc:
    """Returns the ROC curve, with at most POINTS points."""
    from sklearn.metrics import roc_auc_score, roc_curve

    false_positive_rate, true_positive_rate, _ = roc_curve(is_positive, probability)
    kept = _evenly_spaced(len(true_positive_rate))
    area = _round(roc_auc_score(is_positive, probability))
    return Roc(false_alarms=_rounded(false_positive_rate[kept]), found=_rounded(true_positive_rate[kept]), area=area)


def precision_recall(is_positive: Mask, probability: Rows) -> PrecisionRecall:
    """Returns precision by recall, with at most POINTS points, from the lowest threshold up."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(is_positive, probability)
    kept = _evenly_spaced(len(recall))
    area = _round(average_precision_score(is_positive, probability))
    return PrecisionRecall(recall=_rounded(recall[kept]), precision=_rounded(precision[kept]), area=area)


def calibration(is_positive: Mask, probability: Rows) -> Calibration:
    """Returns the calibration in BINS bins of equal width."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    in_bin = [bins == number for number in range(BINS) if (bins == number).any()]
    mean_predicted = [float(probability[rows].mean()) for rows in in_bin]
    observed_rate = [float(is_positive[rows].mean()) for rows in in_bin]
    counts = [int(rows.sum()) for rows in in_bin]
    distances = sum(abs(a - b) * n for a, b, n in zip(mean_predicted, observed_rate, counts, strict=True))
    return Calibration(
        said=_rounded(mean_predicted),
        was=_rounded(observed_rate),
        rows=counts,
        error=_round(distances / len(probability)),
    )


def by_threshold(
    is_positive: Mask,
    probability: Rows,
    aim: Aim | None = None,
    chosen: float | None = None,
    alarms: FalseAlarms | None = None,
) -> Thresholds:
    """Returns precision, recall, F1 and cost by threshold; a row at or above the threshold is predicted positive."""
    aim = aim or Aim()
    table = Thresholds(
        threshold=list(THRESHOLDS), precision=[], recall=[], f1=[], cost=[], costs=[aim.missed, aim.false_alarm],
        chosen=chosen, recall_kept=aim.recall, false_alarms=alarms,
    )  # fmt: skip
    for threshold in THRESHOLDS:
        predicted = probability >= threshold
        hits = int((predicted & is_positive).sum())
        table["precision"].append(_round(hits / predicted.sum()) if predicted.any() else None)
        table["recall"].append(_round(hits / is_positive.sum()))
        table["f1"].append(_round(2 * hits / (predicted.sum() + is_positive.sum())))
        missed, false_alarms = int(is_positive.sum()) - hits, int(predicted.sum()) - hits
        cost = aim.missed * missed + aim.false_alarm * false_alarms
        table["cost"].append(_round(1_000 * cost / len(is_positive)))
    return table


def importance(pipeline: Any, split: Parts, features: Sequence[str], seed: int) -> Importance:
    """Computes the permutation importance: how much F1 drops if one feature is shuffled among rows of the hold-out.

    F1 is of the positive class if there are two classes, else weighted by class.
    """
    from sklearn.metrics import f1_score

    random = np.random.default_rng(seed)
    total = len(split.holdout_labels)
    chosen = random.permutation(total)[:IMPORTANCE_ROWS]
    rows, labels = split.holdout[chosen], np.array(split.holdout_labels)[chosen]
    codes = np.array([split.classes.index(label) for label in split.holdout_labels])
    positive = positive_of(codes, split.classes)
    average: dict[str, Any] = (
        {"average": "weighted"} if positive is None else {"average": "binary", "pos_label": positive}
    )

    def score(values: Rows) -> float:
        return float(f1_score(labels, pipeline.predict(values), zero_division=0.0, **average))

    unshuffled = score(rows)
    found: list[FeatureImportance] = []
    for column, feature in enumerate(features):
        lost = []
        for _ in range(REPEATS):
            shuffled = rows.copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            lost.append(unshuffled - score(shuffled))
        found.append(FeatureImportance(feature=feature, mean=_round(np.mean(lost)), spread=_round(np.std(lost))))
    found.sort(key=lambda each: -each["mean"])
    return Importance(metric="F1", rows=len(rows), repeats=REPEATS, features=found)


def ranges(train: NDArray[np.floating[Any]], features: Sequence[str]) -> dict[str, Range]:
    """Returns the range of each feature in the training rows. A feature without any value is left out."""
    found: dict[str, Range] = {}
    for feature, column in zip(features, np.asarray(train, dtype=np.float64).T, strict=True):
        present = column[~np.isnan(column)]
        if len(present):
            minimum, p1, median, p99, maximum = _rounded(np.quantile(present, [0.0, 0.01, 0.5, 0.99, 1.0]))
            missing = _round(1 - len(present) / len(column))
            counts = np.histogram(present, RANGE_BINS)[0].tolist() if maximum > minimum else []
            found[feature] = Range(
                minimum=minimum, p1=p1, median=median, p99=p99, maximum=maximum, missing=missing, counts=counts
            )
    return found


def _evenly_spaced(points: int) -> NDArray[np.int64]:
    """Returns the places of at most POINTS points, at equal distances, including both ends."""
    return np.unique(np.linspace(0, points - 1, min(POINTS, points)).round().astype(np.int64))


def _rounded(values: Any) -> list[float]:
    return [_round(value) for value in values]


def _round(value: Any) -> float:
    return round(float(value), 6)
