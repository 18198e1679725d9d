"""The uncertainty of a score: a bootstrap over blocks, because neighboring rows of one stretch are not independent.

Whole blocks are drawn with replacement. With few blocks the percentiles come out too narrow, so their distances from
the score are stretched by t(k-1) * sqrt(k / (k-1)) / 1.96 for k blocks. They are also stretched by TOUCH: a streak of
errors can reach from one block into the next, so blocks are less independent than the draws assume.
If all blocks agree, so do the draws, although one more block may be as bad, or as good, as possible: an interval
includes the score of k + 1 blocks of which one is that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.scores import (
    DECIMALS,
    Answers,
    confusions,
    from_counts,
    from_histograms,
    histograms,
    positive_place,
    scores,
)
from zelador.model_metrics import FROM_PROBABILITIES, METRICS, SIGNED
from zelador.printable import counted

RESAMPLES = 2_000
SEED = 20_261
LEVEL = 0.95
FEWEST_BLOCKS = 10
FEWEST_OF_A_CLASS = 4  # blocks
# Of a difference that somebody acts on: wide, but with five blocks one of two equal models is called better in at most
# 1 % of simulated sets whose errors come in runs.
FEWEST_PAIRED, FEWEST_PAIRED_OF_A_CLASS = 5, 2
TOUCH = 1.3  # on simulated answers that err in runs, 95 % intervals then hold the truth in 93 to 97 % of the sets
MAX_UNITS = 1_000  # more blocks than this are put together at random
FEWEST_GROUPS = 7  # days or devices of a class; with fewer, draws without it make the interval useless
CHANCE = {"AUC": 0.5}  # the score of a model that guesses; 0 for the others
BINS = 256  # of probabilities, for AUC and PR-AUC of the resamples
DEFINED = 0.8  # share of the resamples in which a metric must be defined

Array = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Intervals:
    """The 95 % interval of each metric, or None. `reason` says why, if no metric has one."""

    of: dict[str, Interval | None]
    blocks: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two models' scores on the same rows. `interval` is None if unknown; `reason` says why."""

    value: float | None
    interval: Interval | None
    reason: str | None = None

    @property
    def is_clear(self) -> bool:
        """True if the interval does not contain 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


@dataclass(frozen=True, slots=True)
class Resamples:
    """The blocks of rows, and how often each is drawn in each resample. The same blocks give the same draws."""

    units: NDArray[np.int64]  # of each row
    count: int
    drawn: Array  # (RESAMPLES, count)
    blocks: int
    runs: NDArray[np.int64] | None = None  # of each row: the run of one class that it is in, uninterrupted

    @classmethod
    def of(cls, blocks: NDArray[np.int64], seed: int = SEED, runs: NDArray[np.int64] | None = None) -> Self:
        """`blocks` has a number for each row; rows with the same number are drawn together.

        Short blocks divide a long run of one class; such a run counts as one case, however many blocks it covers.
        """
        random = np.random.default_rng(seed)
        names, units = np.unique(blocks, return_inverse=True)
        total = len(names)
        if total > MAX_UNITS:
            units = (random.permutation(total) % MAX_UNITS)[units]
        count = max(1, min(total, MAX_UNITS))
        drawn = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
        return cls(units.astype(np.int64), count, drawn, total, runs)

    def trouble(self, answers: Answers, few: bool = False) -> str | None:
        """The reason why there is no interval; None if there is. `few`: accept as few blocks as for a difference."""
        least, of_a_class = (FEWEST_PAIRED, FEWEST_PAIRED_OF_A_CLASS) if few else (FEWEST_BLOCKS, FEWEST_OF_A_CLASS)
        if self.blocks < least:
            return f"too few independent stretches for an interval: {self.blocks}, and it takes {least}"
        number, fewest = self.rarest(answers)
        if fewest < of_a_class:
            return (
                f"too few independent stretches for an interval: the class {answers.classes[number]!r} is in "
                f"{fewest} of {self.blocks}, and it takes {of_a_class}"
            )
        return None

    def stretch(self, answers: Answers) -> float:
        """The stretch factor, from the class that is in the fewest blocks: the score depends on it most."""
        k = max(2, self.rarest(answers)[1])
        touch = TOUCH if self.blocks < len(self.units) else 1.0  # single rows do not
        return touch * _narrow(k)

    def rarest(self, answers: Answers) -> tuple[int, int]:
        """The class that is in the fewest blocks or runs, and how many those are. Classes without rows do not count."""
        blocks = self._counted(answers, self.units)
        if self.runs is not None:
            blocks = np.minimum(blocks, self._counted(answers, self.runs))
        number = int(np.where(blocks > 0, blocks, np.iinfo(np.int64).max).argmin())
        return number, int(blocks[number])

    @staticmethod
    def _counted(answers: Answers, of: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of blocks or runs in which each class occurs."""
        seen = np.unique(np.stack([answers.expected, of]), axis=1)[0]
        return np.bincount(seen, minlength=len(answers.classes))


def too_few(answers: Answers, resamples: Resamples) -> str | None:
    """Says which class is in too few blocks or runs to show that a model is good; None if each is in enough."""
    number, count = resamples.rarest(answers)
    if count >= FEWEST_BLOCKS:
        return None
    stretches = counted(count, "independent stretch", "independent stretches")
    return f"the class {answers.classes[number]!r} is in {stretches} only"


def intervals(answers: Answers, resamples: Resamples) -> Intervals:
    """The interval of each metric."""
    if (reason := resamples.trouble(answers)) is not None:
        return Intervals(dict.fromkeys(METRICS), resamples.blocks, reason)
    found, score = _spans(answers, resamples, resamples.stretch(answers)), scores(answers)
    for metric, interval in found.items():
        value = score[metric]
        if interval is not None and value is not None:
            worst, best = _one_more(value, metric, resamples.blocks)
            found[metric] = (min(interval[0], worst), max(interval[1], best))
    return Intervals(found, resamples.blocks)


def _narrow(k: int) -> float:
    """The factor by which percentiles of `k` drawn blocks are too narrow."""
    from scipy.special import stdtrit  # its import takes 0.15 s, which a server without evaluations does not need

    return float(stdtrit(k - 1, (1 + LEVEL) / 2) * np.sqrt(k / (k - 1)) / 1.96)


def between(answers: Answers, groups: Resamples) -> dict[str, Interval | None]:
    """The interval from draws of whole days, which devices share and hours do not show, or of whole devices.

    What the rows of a group share does not show in draws of its parts. Empty with few groups of a class.
    """
    k = groups.rarest(answers)[1]
    if k < FEWEST_GROUPS:
        return {}
    return _spans(answers, groups, _narrow(k))


def unknown(found: Intervals, why: str) -> Intervals:
    return Intervals(dict.fromkeys(found.of), found.blocks, why)


def joined(one: Intervals, other: dict[str, Interval | None]) -> Intervals:
    """The intervals of `one`, widened by those of `other`."""
    found = {
        metric: None if own is None else own if (more := other.get(metric)) is None
        else (min(own[0], more[0]), max(own[1], more[1]))
        for metric, own in one.of.items()
    }  # fmt: skip
    return Intervals(found, one.blocks, one.reason)


def _spans(answers: Answers, resamples: Resamples, stretch: float) -> dict[str, Interval | None]:
    drawn, score = _resampled(answers, resamples, METRICS), scores(answers)
    found: dict[str, Interval | None] = {}
    for metric in METRICS:
        center, value = _center(drawn[metric]), score[metric]
        if value is None or center is None:
            found[metric] = None
            continue
        low, high = _around(value, center, stretch)
        least = -1.0 if metric in SIGNED else 0.0
        found[metric] = (_round(max(least, low)), _round(min(1.0, high)))
    return found


def _one_more(value: float, metric: str, blocks: int) -> Interval:
    """The score with one more block, in which a model guesses, or knows everything."""
    chance = CHANCE.get(metric, 0.0)
    return _round(value - max(0.0, value - chance) / (blocks + 1)), _round(value + (1 - value) / (blocks + 1))


def difference(model: Answers, reference: Answers, resamples: Resamples, metric: str) -> Difference:
    """How much better `model` is than `reference` on the same rows: negative if it is worse."""
    return differences(model, reference, resamples, (metric,))[metric]


def differences(
    model: Answers, reference: Answers, resamples: Resamples, metrics: tuple[str, ...] = METRICS, few: bool = False
) -> dict[str, Difference]:
    """The difference by metric. `few`: also with few blocks, as on a hold-out; the intervals are then wide."""
    ours, theirs = scores(model), scores(reference)
    reason = resamples.trouble(model, few)
    drawn, base = ({}, {}) if reason else (_resampled(each, resamples, metrics) for each in (model, reference))
    found = {}
    for metric in metrics:
        own, other = ours[metric], theirs[metric]
        if own is None or other is None:
            found[metric] = Difference(None, None, f"{metric} is not defined for both")
            continue
        value = own - other
        if reason is not None:
            found[metric] = Difference(_round(value), None, reason)
            continue
        center = _center(drawn[metric] - base[metric])
        if center is None:
            found[metric] = Difference(_round(value), None, f"{metric} is not defined in most resamples")
            continue
        low, high = _around(value, center, resamples.stretch(model))
        found[metric] = Difference(_round(value), (_round(low), _round(high)))
    return found


def _resampled(answers: Answers, resamples: Resamples, metrics: tuple[str, ...]) -> dict[str, Array]:
    """The values of each metric in the resamples; NaN where a metric is not defined."""
    width = len(answers.classes)
    found: dict[str, Array] = {}
    if any(metric not in FROM_PROBABILITIES for metric in metrics):
        tables = confusions(answers, resamples.units, resamples.count).reshape(resamples.count, -1)
        found |= from_counts((resamples.drawn @ tables).reshape(-1, width, width), positive_place(answers))
    if any(metric in FROM_PROBABILITIES for metric in metrics):
        sides = histograms(answers, resamples.units, resamples.count, BINS)
        found |= from_histograms([(resamples.drawn @ it, resamples.drawn @ rest) for it, rest in sides], answers)
    return found


def _center(drawn: Array) -> tuple[float, float, float] | None:
    """Low, middle and high of the resamples; None if the metric is not defined in enough of them."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < DEFINED * RESAMPLES:
        return None
    low, middle, high = np.quantile(known, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return float(low), float(middle), float(high)


def _around(value: float, drawn: tuple[float, float, float], stretch: float) -> Interval:
    low, _, high = drawn
    return value - stretch * max(0.0, value - low), value + stretch * max(0.0, high - value)


def _round(value: float) -> float:
    return round(value, DECIMALS)
