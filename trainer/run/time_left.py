"""How long a run will still take, from what its first candidates took. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

Phase = Literal["compare", "shuffle", "build"]

# What a candidate takes, relative to a logistic regression; measured on 10,000 rows of three features.
WEIGHTS: Mapping[str, float] = {
    "lr": 1.0, "knn": 1.0, "nb": 0.6, "dt": 0.7, "svm": 0.7, "rbfsvm": 60.0, "gpc": 400.0, "mlp": 20.0, "ridge": 0.6,
    "rf": 5.0, "qda": 0.6, "ada": 3.0, "gbc": 11.0, "lda": 0.8, "et": 4.0, "xgboost": 4.0, "lightgbm": 2.0,
    "catboost": 30.0, "dummy": 0.6,
}  # fmt: skip
USUAL = 2.0  # of a candidate that is not among them
SHUFFLE = 0.7  # of the time of the comparison: each candidate is fitted on as many folds again
BUILD, BUILD_S = 1.2, 5.0  # of that time, and seconds besides: the best are fitted on all rows, compiled and described


def time_left(
    spent: Mapping[str, float], left: Iterable[str], shuffles: bool, phase: Phase = "compare", share: float = 1.0
) -> float | None:
    """Seconds. `spent` has the seconds of the candidates that ended, `left` the others; `share` of `phase` is left.

    None while no candidate has ended.
    """
    known = sum(map(weight, spent))
    if not known:
        return None
    rate = sum(spent.values()) / known
    coming = rate * sum(map(weight, left))
    compare = sum(spent.values()) + coming
    shuffle, build = (compare * SHUFFLE if shuffles else 0.0), compare * BUILD + BUILD_S
    if phase == "compare":
        return coming + shuffle + build
    return shuffle * share + build if phase == "shuffle" else build * share


def weight(candidate: str) -> float:
    return WEIGHTS.get(candidate, USUAL)
