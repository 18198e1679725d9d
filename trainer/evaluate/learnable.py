"""Tests whether there is anything to learn: two small models must beat themselves on randomly moved labels. Pure.

A linear model alone misses a band in one feature; a shallow tree alone misses a slope across many. Moving the labels
keeps everything that has nothing to do with the readings: how long a state lasts, and how often each device is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from registry.evaluation.scores import confusion_of, from_counts
from registry.run_document import MovedFacts

PERMUTATIONS = 200
FEWEST_MOVES = 60  # even if fewer decide it, so that their scores can be shown
BINS = 16  # of the scores that are shown
P = 0.05
FEWEST_ARRANGEMENTS = 20
MAX_ROWS = 2_000  # adjacent rows add little to each other
DEPTH = 3
RIDGE = 1e-3
FEWEST_SHIFT = 0.05  # of a device's rows: a smaller shift leaves most labels in place

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Learnable:
    """The result. `p` is the share of moved labels that do as well; None if unknown, for the reason in `why`."""

    p: float | None
    why: str = ""
    real: float | None = None  # Matthews correlation with the real labels
    moved: tuple[float, ...] = ()  # with moved ones

    @property
    def is_nothing(self) -> bool:
        return self.p is not None and self.p > P

    def shown(self) -> MovedFacts | None:
        """Returns the scores as a histogram; None if the labels were not moved."""
        if self.real is None or not self.moved:
            return None
        counts, edges = np.histogram(self.moved, BINS)
        return MovedFacts(
            metric="MCC",
            real=round(self.real, 4),
            moves=len(self.moved),
            as_good=sum(each >= self.real - 1e-9 for each in self.moved),
            low=round(float(edges[0]), 4),
            high=round(float(edges[-1]), 4),
            counts=counts.tolist(),
        )


def learnable(
    values: Array,
    labels: Codes,
    devices: Codes | None,
    times: Codes | None,
    units: Codes,
    folds: Codes,
    seed: int,
) -> Learnable:
    """Tests the labels. `units` has the stretch of each row, `folds` its fold."""
    kept = _thinned(devices, times, len(labels))
    values, units, folds = values[kept], units[kept], folds[kept]
    labels = np.unique(labels[kept], return_inverse=True)[1].astype(np.int64)
    known = None if times is None else np.zeros(len(kept), np.int64) if devices is None else devices[kept]
    move = _Move.of(labels, known, units if times is not None or devices is not None else None)
    if move.arrangements < FEWEST_ARRANGEMENTS:
        return Learnable(None, f"the labels can be moved in {move.arrangements} ways only")
    random = np.random.default_rng(seed)
    models = _TestModels(_standardized(values), folds, int(labels.max()) + 1)
    real = models.score(labels)
    moved: list[float] = []
    as_good = 0
    for _ in range(PERMUTATIONS):
        moved.append(models.score(move(random)))
        as_good += moved[-1] >= real - 1e-9
        if as_good > P * (PERMUTATIONS + 1) and len(moved) >= FEWEST_MOVES:  # more cannot change it
            break
    return Learnable(round((1 + as_good) / (1 + len(moved)), 4), real=real, moved=tuple(moved))


def _thinned(devices: Codes | None, times: Codes | None, count: int) -> Codes:
    """Returns the places of at most MAX_ROWS rows, ordered by device and time, at equal distances."""
    order = np.arange(count)
    if times is not None:
        order = np.lexsort((times, np.zeros(count) if devices is None else devices))
    kept: Codes = order[np.unique(np.linspace(0, count - 1, min(count, MAX_ROWS)).round().astype(int))]
    return kept


@dataclass(frozen=True, slots=True)
class _Move:
    """Moves labels at random.

    Labels that change within a device are shifted in time, in a ring. Stretches with one label each exchange them.
    """

    labels: Codes
    rings: tuple[Codes, ...]  # the rows of a device, ordered by time
    stretches: tuple[Codes, ...]  # the rows of a stretch that exchanges its label
    arrangements: int

    @classmethod
    def of(cls, labels: Codes, devices: Codes | None, units: Codes | None) -> _Move:
        """Returns how labels move. Without `devices` their order is unknown; without `units` each row is a stretch."""
        if units is None:
            return cls(labels, (), tuple(np.arange(len(labels))[:, None]), 1_000_000)
        rings: list[Codes] = []
        stretches: list[Codes] = []
        for device in [None] if devices is None else np.unique(devices):
            rows = np.arange(len(labels)) if device is None else np.flatnonzero(devices == device)
            parts = [rows[units[rows] == unit] for unit in np.unique(units[rows])]
            constant = sum(len(part) for part in parts if len(np.unique(labels[part])) == 1)
            if device is None or constant == len(rows):
                stretches += parts
            else:
                rings.append(rows)
        ways = _count_exchanges([int(labels[part[0]]) for part in stretches])
        for ring in rings:
            ways = min(1_000_000, ways * max(1, len(ring) - 2 * int(FEWEST_SHIFT * len(ring))))
        return cls(labels, tuple(rings), tuple(stretches), ways)

    def __call__(self, random: np.random.Generator) -> Codes:
        found = self.labels.copy()
        for ring in self.rings:
            least = max(1, int(FEWEST_SHIFT * len(ring)))
            found[ring] = np.roll(self.labels[ring], int(random.integers(least, max(least + 1, len(ring) - least))))
        for to, source in enumerate(random.permutation(len(self.stretches)).tolist()):
            rows, other = self.stretches[to], self.stretches[source]
            found[rows] = np.resize(self.labels[other], len(rows))
        return found


def _count_exchanges(names: list[int]) -> int:
    """Returns in how many ways the stretches can exchange their labels, capped."""
    if len(names) > 20:
        return 1_000_000 if len(set(names)) > 1 else 1
    return factorial(len(names)) // prod(factorial(names.count(name)) for name in set(names))


def _standardized(values: Array) -> NDArray[np.float32]:
    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    found = np.where(np.isnan(values), 0.0, (values - mean) / np.where(spread > 0, spread, 1.0))
    return found.astype(np.float32)


class _TestModels:
    """Scores the better of the two models, by Matthews correlation over all folds.

    What does not depend on the labels is computed once."""

    def __init__(self, values: NDArray[np.float32], folds: Codes, classes: int) -> None:
        self._classes = classes
        self._folds = []
        design = np.hstack([values.astype(np.float64), np.ones((len(values), 1))])
        for fold in np.unique(folds):
            here, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            known = design[rest]
            solve = np.linalg.pinv(known.T @ known + RIDGE * len(rest) * np.eye(design.shape[1])) @ known.T
            self._folds.append((here, rest, design[here], solve, values[rest], values[here]))

    def score(self, labels: Codes) -> float:
        linear, tree = np.zeros(len(labels), np.int64), np.zeros(len(labels), np.int64)
        targets = np.eye(self._classes)[labels]
        for here, rest, given, solve, known, asked in self._folds:
            shares = targets[rest].mean(axis=0)
            linear[here] = (given @ (solve @ (targets[rest] - shares))).argmax(axis=1)
            model = DecisionTreeClassifier(max_depth=DEPTH, class_weight="balanced", random_state=0)
            tree[here] = model.fit(known, labels[rest], check_input=False).predict(asked, check_input=False)
        tables = np.stack([confusion_of(labels, predicted, self._classes) for predicted in (linear, tree)])
        return float(np.nanmax(from_counts(tables, None)["MCC"]))
