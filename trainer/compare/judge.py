"""Judges a candidate by its scores: its answers as they would be served, its metrics, and their intervals. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from registry.evaluation.bootstrap import Interval, Intervals, Resamples, between, intervals, joined, unknown
from registry.evaluation.scores import Answers, Scores, positive_place, scores
from trainer.evaluate import calibrate, threshold
from trainer.evaluate.balance import balanced
from trainer.evaluate.threshold import Aim

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bench:
    """The training rows on which all candidates are judged. `counted` marks rows whose classes can be evaluated.

    `within` marks the rows of devices or recordings that have a class of their own.
    """

    labels: Codes
    folds: Codes
    counted: Mask
    within: Mask
    classes: tuple[str, ...]
    positive: str | None
    aim: Aim
    resamples: Resamples | None  # bootstrap samples of the counted rows; None if no class can be evaluated
    groups: tuple[Resamples, ...] = ()  # bootstrap samples of the same rows by day and by device, where known
    unsure: str | None = None  # why there is no interval, whatever the blocks are

    def answers(self, found: Array, folds: Codes, middle: float) -> Answers:
        """Returns the answer on each row. Calibration and threshold are learned without the row's fold."""
        shares = calibrate.cross(found, self.labels, folds, middle)
        bare = Answers(self.labels, shares.argmax(axis=1), shares, self.classes, self.positive)
        place = positive_place(bare)
        if place is None:
            return bare
        is_positive = threshold.cross(shares[:, place], self.labels == place, folds, self.aim)
        return replace(bare, predicted=np.where(is_positive, place, 1 - place).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate's answers on the counted rows, and its scores.

    `within` has the scores inside the devices or recordings that have a class of their own.
    """

    answers: Answers
    scores: Scores
    intervals: Intervals | None
    within: Scores | None
    by_fold: list[Scores]
    holdout: float | None = None  # the Matthews correlation on the hold-out; None if it is not known
    asked: tuple[Scores, ...] = ()  # the scores on the hold-out, and on the rows of each question
    chance: Interval | None = None  # of the Matthews correlation, to compare with guessing, even if `unsure` is set


def judge(values: Array, middle: float, bench: Bench) -> Judged:
    """Returns what a candidate's scores say. `values` has its score of each training row, from the row's test fold."""
    everything = bench.answers(values, bench.folds, middle)
    answers, folds = everything.at(bench.counted), bench.folds[bench.counted]
    found = _sure(answers, bench)
    return Judged(
        answers,
        scores(answers),
        None if found is None else unknown(found, bench.unsure) if bench.unsure else found,
        scores(everything.at(bench.within)) if bench.within.any() else None,
        [scores(answers.at(folds == fold)) for fold in np.unique(folds)],
        chance=None if found is None else found.of.get("MCC"),
    )


def _sure(answers: Answers, bench: Bench) -> Intervals | None:
    if bench.resamples is None:
        return None
    found = intervals(answers, bench.resamples)
    for groups in bench.groups if found.reason is None else ():
        found = joined(found, between(answers, groups))
    return found


def widened(judged: Judged, holdout: Sequence[Scores]) -> Judged:
    """Returns `judged` with its intervals widened to include the scores on the hold-out and on its parts.

    Blocks of the same few days are less independent than the bootstrap assumes. If the score on rows that no fold has
    seen is outside the interval, the interval was too narrow.
    """
    if judged.intervals is None:
        return replace(judged, asked=tuple(holdout))
    found = dict(judged.intervals.of)
    for metric, interval in judged.intervals.of.items():
        known = [score for each in holdout if (score := each.get(metric)) is not None]
        if interval is not None:
            found[metric] = (min(interval[0], *known), max(interval[1], *known)) if known else interval
    return replace(
        judged,
        intervals=replace(judged.intervals, of=found),
        holdout=holdout[0].get("MCC"),
        asked=tuple(holdout),
    )


def shuffled(
    model: Any, rows: NDArray[np.floating[Any]], bench: Bench, folds: int, seed: int, balance: int | None = None
) -> Scores | None:
    """Returns the scores that a shuffled split of the same rows would have given; None if the candidate fails on it.

    `balance` is the seed with which training rows of rare classes are repeated; None to leave them as they are.
    """
    draw = StratifiedKFold(folds, shuffle=True, random_state=seed % (1 << 32))
    which, found, middle = np.empty(len(rows), np.int64), None, 0.0
    try:
        for number, (train, test) in enumerate(draw.split(rows, bench.labels)):
            pipeline = make_pipeline(SimpleImputer(strategy="mean"), clone(model))
            known = (rows[train], bench.labels[train])
            pipeline.fit(*(known if balance is None else balanced(*known, balance)))
            values = calibrate.scores_of(pipeline, rows[test])
            found = np.empty((len(rows), values.shape[1])) if found is None else found
            which[test], found[test], middle = number, values, calibrate.middle_of(pipeline)
    except Exception:  # noqa: BLE001 - candidates raise anything; this score is a warning, no result depends on it
        return None
    if found is None or np.isnan(found).any():
        return None
    return scores(bench.answers(np.clip(found, -1e30, 1e30), which, middle).at(bench.counted))
