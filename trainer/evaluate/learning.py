"""The learning curve: how good a model is with fewer stretches of time, and how much more of them would help."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from registry.evaluation.bootstrap import Interval
from registry.evaluation.scores import Answers, scores
from trainer.evaluate.balance import balanced

SHARES = (0.25, 0.5, 0.75, 1.0)  # of the stretches that a fold learns from
FEWEST = 8  # stretches; with fewer there is no curve
DRAWS = 3  # per point, at most; their mean counts
TRIES = 20  # to draw stretches that have all classes
MAX_ROWS = 4_000
BUDGET_S = 2.5  # of CPU time, per model: a busy machine gives the same report as an idle one
RISE = 0.01  # least rise that counts, from half of the stretches to all

Codes = NDArray[np.int64]


class Learning(TypedDict):
    """The metric by the number of stretches that the model learned from. It is tested on the rows of other folds."""

    metric: str
    stretches: list[int]
    scores: list[float]
    sentence: str  # says how much more data would help


@dataclass(frozen=True, slots=True)
class Rows:
    """The training rows that count, each with its values, label, fold and stretch."""

    values: NDArray[np.floating[Any]]
    labels: Codes
    folds: Codes
    stretches: Codes
    classes: tuple[str, ...]
    positive: str | None

    def thinned(self, seed: int) -> Rows:
        if len(self.labels) <= MAX_ROWS:
            return self
        kept = np.sort(np.random.default_rng(seed).permutation(len(self.labels))[:MAX_ROWS])
        return Rows(
            self.values[kept], self.labels[kept], self.folds[kept], self.stretches[kept], self.classes, self.positive
        )


def learning(
    model: Any,
    rows: Rows,
    metric: str,
    sure: Interval | None,
    seed: int,
    balance: bool = False,
    clock: Callable[[], float] = time.process_time,
) -> Learning | str:
    """Computes the curve; without one, returns why there is none.

    `sure` is the interval of the model's score. `clock` is in seconds.
    """
    total = len(np.unique(rows.stretches))
    if total < FEWEST:
        return f"It needs {FEWEST} stretches of time to learn from; there {'is' if total == 1 else 'are'} {total}."
    rows, until = rows.thinned(seed), clock() + BUDGET_S
    found: dict[float, list[tuple[int, float]]] = {}
    for draw in range(DRAWS):
        random = np.random.default_rng((seed % (1 << 32), draw))
        for share in SHARES:
            point = _curve_point(model, rows, metric, share, random, lambda: clock() > until, seed if balance else None)
            if point is not None:
                found.setdefault(share, []).append(point)
    if len(found) < 2 and clock() > until:
        return f"The model takes more than {BUDGET_S:g} s of CPU time to be fitted on parts of the readings."
    if len(found) < 2:
        return "The model could not be fitted on parts of the readings."
    stretches = [round(float(np.mean([count for count, _ in points]))) for points in found.values()]
    by_size = [round(float(np.mean([score for _, score in points])), 4) for points in found.values()]
    return Learning(
        metric=metric, stretches=stretches, scores=by_size, sentence=sentence(metric, stretches, by_size, sure, total)
    )


def _curve_point(
    model: Any,
    rows: Rows,
    metric: str,
    share: float,
    random: np.random.Generator,
    late: Callable[[], bool],
    balance: int | None,
) -> tuple[int, float] | None:
    """Returns the mean number of stretches learned from, and the score; None if time is up or the model fails."""
    predicted, counts = np.full(len(rows.labels), -1, np.int64), []
    shares = np.zeros((len(rows.labels), len(rows.classes)))
    for test, learned, count in _folds(rows, share, random):
        if late():
            return None
        pipeline = make_pipeline(SimpleImputer(strategy="mean", keep_empty_features=True), clone(model))
        try:
            known = (rows.values[learned], rows.labels[learned])
            pipeline.fit(*(known if balance is None else balanced(*known, balance)))
            predicted[test] = np.ravel(pipeline.predict(rows.values[test]))
            if hasattr(pipeline, "predict_proba"):
                shares[np.ix_(test, pipeline.classes_)] = pipeline.predict_proba(rows.values[test])
        except Exception:  # noqa: BLE001 - candidates raise anything; the report does not need the curve
            return None
        counts.append(count)
    asked = predicted >= 0
    answers = Answers(rows.labels, predicted, shares if shares.any() else None, rows.classes, rows.positive).at(asked)
    score = scores(answers).get(metric)
    return None if score is None or not counts else (round(float(np.mean(counts))), score)


def _folds(rows: Rows, share: float, random: np.random.Generator) -> Iterator[tuple[Codes, Codes, int]]:
    """Yields for each fold its rows, the rows of some stretches of the other folds, and the number of stretches."""
    for fold in np.unique(rows.folds):
        rest = rows.folds != fold
        names = np.unique(rows.stretches[rest])
        count = max(2, round(share * len(names)))
        for _ in range(TRIES):
            learned = rest & np.isin(rows.stretches, random.permutation(names)[:count])
            if len(np.unique(rows.labels[learned])) == len(np.unique(rows.labels[rest])):
                yield np.flatnonzero(~rest), np.flatnonzero(learned), count
                break


def sentence(metric: str, stretches: list[int], by_size: list[float], sure: Interval | None, total: int) -> str:
    """Says whether more data would help, by the rise from half of the stretches to all and the interval's width."""
    half = next((place for place, count in enumerate(stretches) if count >= 0.45 * stretches[-1]), 0)
    half = min(half, len(stretches) - 2)
    before, now = by_size[half], by_size[-1]
    if now - before > RISE:
        found = (
            f"From {stretches[half]} to {stretches[-1]} stretches {metric} rose from {before:.2f} to {now:.2f}: more "
            "labeled stretches are likely to raise it further."
        )
    else:
        found = (
            f"{metric} is no better with {stretches[-1]} stretches than with {stretches[half]} ({now:.2f} and "
            f"{before:.2f}): more of the same kind would hardly raise it."
        )
    if sure is None:
        return f"{found} More stretches are needed to tell how certain it is."
    wide = (sure[1] - sure[0]) / 2
    then = wide / math.sqrt(2)
    return f"{found} {total} more stretches would narrow its interval from ±{wide:.2f} to about ±{then:.2f}."
