"""Scores on the hold-out, by the seven metrics that PyCaret averages over the folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def scores(
    expected: Sequence[str],
    predicted: Sequence[str],
    classes: Sequence[str],
    probabilities: NDArray[np.float64] | None,
) -> dict[str, float | None]:
    """Accuracy, AUC, Recall, Precision, F1, Kappa and MCC; None where a metric is not defined.

    Of two classes, the later in sorted order is the positive one, as PyCaret encodes them. With more classes, Recall,
    Precision and F1 are weighted by class, and AUC is one against the rest, weighted. `probabilities` is (rows,
    classes); None for a model without probabilities, which has no AUC.
    """
    from sklearn import metrics

    average: dict[str, Any] = (
        {"average": "binary", "pos_label": classes[-1]} if len(classes) == 2 else {"average": "weighted"}
    )
    found = {
        "Accuracy": metrics.accuracy_score(expected, predicted),
        "AUC": _auc(expected, classes, probabilities),
        "Recall": metrics.recall_score(expected, predicted, zero_division=0.0, **average),
        "Precision": metrics.precision_score(expected, predicted, zero_division=0.0, **average),
        "F1": metrics.f1_score(expected, predicted, zero_division=0.0, **average),
        "Kappa": metrics.cohen_kappa_score(expected, predicted),
        "MCC": metrics.matthews_corrcoef(expected, predicted),
    }
    return {
        name: None if value is None or math.isnan(value) else round(float(value), 6) for name, value in found.items()
    }


def confusion(expected: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> list[list[int]]:
    """Counts: a row for each true class, a column for each predicted class, in the order of `classes`."""
    from sklearn.metrics import confusion_matrix

    table: list[list[int]] = confusion_matrix(expected, predicted, labels=list(classes)).tolist()
    return table


def _auc(expected: Sequence[str], classes: Sequence[str], probabilities: NDArray[np.float64] | None) -> float | None:
    from sklearn.metrics import roc_auc_score

    if probabilities is None:
        return None
    try:
        if len(classes) == 2:
            return float(roc_auc_score([label == classes[1] for label in expected], probabilities[:, 1]))
        return float(
            roc_auc_score(expected, probabilities, multi_class="ovr", average="weighted", labels=list(classes))
        )
    except ValueError:  # the hold-out lacks a class
        return None
