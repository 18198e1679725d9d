"""The metrics of a model, in the order in which every table, page and choice lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

Metric = Literal["Accuracy", "AUC", "Recall", "Precision", "F1", "Kappa", "MCC", "PR-AUC"]
METRICS: tuple[Metric, ...] = get_args(Metric)
FROM_PROBABILITIES: tuple[Metric, ...] = ("AUC", "PR-AUC")  # None for a model that gives none
OF_THE_POSITIVE: tuple[Metric, ...] = ("Recall", "Precision", "F1", "PR-AUC")  # with two classes
SIGNED: tuple[Metric, ...] = ("Kappa", "MCC")  # from -1 to 1; the others from 0


def in_order(found: Iterable[str]) -> list[str]:
    """The names sorted: these metrics first, in their order, then others, as an old or imported model may have."""
    names = set(found)
    return [metric for metric in METRICS if metric in names] + sorted(names - set(METRICS))
