"""Scores a model's answers by class and by device. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.scores import Answers, positive_place, scores

MAX_DEVICES = 20  # in the report, the worst first
FEWEST_ROWS = 10  # of the worst device, if any device has this many

Codes = NDArray[np.int64]


class ClassScores(TypedDict):
    """Scores of one class against the rest. Precision is None if the class was never predicted."""

    label: str
    rows: int
    precision: float | None
    recall: float
    f1: float


class DeviceScores(TypedDict):
    """Scores of one device. `errors` is the share of wrong answers; `score` is None if there is only one class.

    Of two classes: `found` of `positives` rows of the positive class were found; `false_alarms` are rows of the other
    class that counted as positive.
    """

    device: str
    rows: int
    errors: float
    score: float | None
    positives: NotRequired[int]
    found: NotRequired[int]
    false_alarms: NotRequired[int]


class ByDevice(TypedDict):
    metric: str
    devices: int
    worst: str | None  # the device with the largest share of errors; None if no device has an error
    rows: list[DeviceScores]  # the worst first, at most MAX_DEVICES


def by_class(answers: Answers) -> list[ClassScores]:
    """Returns the scores of each class that has rows, from scikit-learn's `precision_recall_fscore_support`."""
    from sklearn.metrics import precision_recall_fscore_support

    places = list(range(len(answers.classes)))
    precision, recall, f1, rows = precision_recall_fscore_support(
        answers.expected, answers.predicted, labels=places, zero_division=0.0
    )
    return [
        ClassScores(
            label=answers.classes[place],
            rows=int(rows[place]),
            precision=round(float(precision[place]), 6) if (answers.predicted == place).any() else None,
            recall=round(float(recall[place]), 6),
            f1=round(float(f1[place]), 6),
        )
        for place in places
        if rows[place]
    ]


def by_device(answers: Answers, devices: Codes | None, names: Sequence[str], metric: str) -> ByDevice | None:
    """Returns the scores by device; None if devices are not known, or if there is only one.

    `devices` are places in `names`.
    """
    if devices is None or len(there := np.unique(devices)) < 2:
        return None
    wrong = answers.expected != answers.predicted
    rows = np.bincount(devices, minlength=len(names))
    errors = np.bincount(devices, weights=wrong, minlength=len(names)) / np.maximum(1, rows)
    order = sorted(there.tolist(), key=lambda place: (-errors[place], -rows[place], names[place]))
    worst = next((place for place in order if rows[place] >= FEWEST_ROWS), order[0])
    found = []
    for place in order[:MAX_DEVICES]:
        own = answers.at(devices == place)
        row = DeviceScores(
            device=names[place],
            rows=int(rows[place]),
            errors=round(float(errors[place]), 6),
            score=scores(own).get(metric),
        )
        if (positive := positive_place(own)) is not None:
            expected, predicted = own.expected == positive, own.predicted == positive
            row["positives"], row["found"] = int(expected.sum()), int((expected & predicted).sum())
            row["false_alarms"] = int((predicted & ~expected).sum())
        found.append(row)
    return ByDevice(metric=metric, devices=len(there), worst=names[worst] if errors[worst] else None, rows=found)
