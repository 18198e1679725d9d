"""Settings come from a grid, and the scores of the best are from rows that did not choose it."""

from __future__ import annotations

import numpy as np

from trainer.compare.judge import Bench
from trainer.compare.tune import MAX_SETTINGS, crossed, settings
from trainer.evaluate.threshold import Aim


def test_settings_are_from_the_grid_and_come_once() -> None:
    grid = {"depth": [1, 2, 3], "leaf": ["a", "b"], "none": []}
    found = list(settings(grid, 7))
    assert sorted((each["depth"], each["leaf"]) for each in found) == [(d, leaf) for d in (1, 2, 3) for leaf in "ab"]
    assert list(settings(grid, 7)) == found != list(settings(grid, 8))
    assert len(list(settings({"c": list(range(10_000))}, 7))) == MAX_SETTINGS


def test_the_best_of_many_random_settings_scores_at_chance() -> None:
    """The best of forty settings that guess has a Matthews correlation well above 0 on the rows it was chosen by."""
    chosen, reported = [], []
    for seed in range(6):
        draw, rows = np.random.default_rng(seed), 200
        labels, folds = draw.integers(0, 2, rows), np.arange(rows) % 5
        bench = Bench(labels, folds, np.ones(rows, bool), np.zeros(rows, bool), ("a", "b"), "b", Aim(), None)
        tried = [draw.random((rows, 1)) for _ in range(40)]
        best, scores = crossed(tried, 0.5, bench, "MCC")
        for found, given in ((chosen, tried[best]), (reported, scores)):
            found.append(float(np.corrcoef(labels, given[:, 0] > 0.5)[0, 1]))
    assert np.mean(chosen) > 0.1
    assert np.mean(reported) < 0.05


def test_settings_that_are_better_everywhere_are_found() -> None:
    draw, rows = np.random.default_rng(4), 300
    labels, folds = draw.integers(0, 2, rows), np.arange(rows) % 5
    bench = Bench(labels, folds, np.ones(rows, bool), np.zeros(rows, bool), ("a", "b"), "b", Aim(), None)
    good = np.clip(labels * 0.8 + 0.1 + draw.normal(0, 0.1, rows), 0, 1)[:, None]
    best, scores = crossed([draw.random((rows, 1)), good], 0.5, bench, "F1")
    assert best == 1
    assert (scores == good).all()
