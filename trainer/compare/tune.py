"""Tunes a candidate: draws settings at random, and tests them on the folds of the run. Pure.

The best of many settings looks better than it is on the rows by which it was chosen. So each fold is scored with the
settings that do best on the other folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.scores import scores
from trainer.compare.judge import Bench

MAX_SETTINGS = 60  # tried per candidate
MAX_TUNED = 3  # candidates, the best of the comparison

Array = NDArray[np.float64]


def settings(grid: Mapping[str, Sequence[Any]], seed: int) -> Iterator[dict[str, Any]]:
    """Yields settings from a grid, each once, in random order; at most MAX_SETTINGS."""
    names = sorted(name for name in grid if len(grid[name]))
    total = 1
    for name in names:
        total *= len(grid[name])
    random = np.random.default_rng(seed % (1 << 32))
    seen: set[int] = set()
    while len(seen) < min(total, MAX_SETTINGS):
        place = int(random.integers(total))
        if place in seen:
            continue
        seen.add(place)
        found = {}
        for name in names:
            place, which = divmod(place, len(grid[name]))
            found[name] = grid[name][which]
        yield found


def crossed(tried: Sequence[Array], middle: float, bench: Bench, metric: str) -> tuple[int, Array]:
    """Returns the place of the best settings on all folds, and each fold's scores with the best settings on the others.

    `tried` has, for each of the settings, the score of each training row.
    """
    answers = [bench.answers(each, bench.folds, middle) for each in tried]

    def best(rows: NDArray[np.bool_]) -> int:
        found = [scores(each.at(rows & bench.counted)) for each in answers]
        ranked = [each.get(metric) if each.get(metric) is not None else each.get("MCC") for each in found]
        return int(np.argmax([-np.inf if score is None else score for score in ranked]))

    chosen = np.empty_like(tried[0])
    for fold in np.unique(bench.folds):
        here = bench.folds == fold
        chosen[here] = tried[best(~here)][here]
    return best(np.ones(len(bench.folds), bool)), chosen
