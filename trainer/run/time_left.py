"""Estimates how long a run will still take, from the time of its first candidates. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

Phase = Literal["compare", "tune", "shuffle", "build"]

# Time of a candidate relative to a logistic regression, measured on 10,000 rows of three features.
WEIGHTS: Mapping[str, float] = {
    "lr": 1.0, "knn": 1.0, "nb": 0.6, "dt": 0.7, "svm": 0.7, "rbfsvm": 60.0, "gpc": 400.0, "mlp": 20.0, "ridge": 0.6,
    "rf": 5.0, "qda": 0.6, "ada": 3.0, "gbc": 11.0, "lda": 0.8, "et": 4.0, "xgboost": 4.0, "lightgbm": 2.0,
    "catboost": 30.0, "dummy": 0.6,
}  # fmt: skip
USUAL = 2.0  # for a candidate that is not listed
SHUFFLE = 0.7  # factor of the time of the comparison: each candidate is fitted on shuffled folds too
BUILD, BUILD_S = 1.2, 5.0  # factor of that time, plus seconds: the best are fitted on all rows, compiled and evaluated


def time_left(
    spent: Mapping[str, float],
    left: Sequence[str],
    shuffles: bool,
    phase: Phase = "compare",
    share: float = 1.0,
    begun: float = 0.0,
    tune_s: float = 0.0,
    budget_left: float = math.inf,
) -> float | None:
    """Returns the seconds left; None until a candidate has ended.

    `spent` has the seconds of each candidate that ended, `left` the other ids, of which the first is done to the
    share `begun`. `share` is how much of `phase` is left. Tuning takes up to `tune_s`. Comparing and tuning end after
    `budget_left` seconds, and nothing is shuffled after that.
    """
    known = sum(map(weight, spent))
    if not known:
        return None
    rate = sum(spent.values()) / known
    ahead = sum(map(weight, left))
    coming = rate * (ahead - begun * weight(left[0])) if left else 0.0
    compare = sum(spent.values()) + min(rate * ahead, budget_left)
    shuffle, build = (compare * SHUFFLE if shuffles else 0.0), compare * BUILD + BUILD_S
    if phase in ("compare", "tune"):
        trying = coming + tune_s if phase == "compare" else tune_s * share
        return trying + shuffle + build if trying < budget_left else budget_left + build
    return shuffle * share + build if phase == "shuffle" else build * share


def weight(candidate: str) -> float:
    return WEIGHTS.get(candidate, USUAL)
