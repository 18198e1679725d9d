"""A model's answers by class and by device. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.scores import Answers, scores

MAX_DEVICES = 20  # shown, the worst first
FEWEST_ROWS = 10  # of the device that is named as the worst, if any has so many

Codes = NDArray[np.int64]


class ClassScores(TypedDict):
    """Of one class against the rest. Precision is None if no row was predicted to be of it."""

    label: str
    rows: int
    precision: float | None
    recall: float
    f1: float


class DeviceScores(TypedDict):
    """`errors` is the share of wrong answers; `score` the metric, None where the device has one class only."""

    device: str
    rows: int
    errors: float
    score: float | None


class ByDevice(TypedDict):
    metric: str
    devices: int
    worst: str | None  # the one with the largest share of errors; None if no device has any
    rows: list[DeviceScores]  # the worst first, at most MAX_DEVICES


def by_class(answers: Answers) -> list[ClassScores]:
    """From scikit-learn's own function. A class without a row is left out."""
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
    """None if devices are not known, or if there is only one. `devices` are places in `names`."""
    if devices is None or len(there := np.unique(devices)) < 2:
        return None
    wrong = answers.expected != answers.predicted
    rows = np.bincount(devices, minlength=len(names))
    errors = np.bincount(devices, weights=wrong, minlength=len(names)) / np.maximum(1, rows)
    order = sorted(there.tolist(), key=lambda place: (-errors[place], -rows[place], names[place]))
    worst = next((place for place in order if rows[place] >= FEWEST_ROWS), order[0])
    found = []
    for place in order[:MAX_DEVICES]:
        score = scores(answers.at(devices == place)).get(metric)
        found.append(
            DeviceScores(device=names[place], rows=int(rows[place]), errors=round(float(errors[place]), 6), score=score)
        )
    return ByDevice(metric=metric, devices=len(there), worst=names[worst] if errors[worst] else None, rows=found)
