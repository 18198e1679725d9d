"""Intervals are drawn by device too, because stretches of one device share what is its own."""

from __future__ import annotations

import numpy as np

from registry.evaluation.bootstrap import Resamples
from trainer.compare.judge import Bench, judge, widened
from trainer.evaluate.threshold import Aim

DEVICES, ROWS = 12, 240
OF = np.repeat(np.arange(DEVICES), ROWS)
BLOCKS = np.arange(DEVICES * ROWS) // 20  # twelve for each device


def bench(*groups: Resamples) -> Bench:
    labels = np.arange(len(OF)) % 2
    every = np.ones(len(OF), bool)
    folds = BLOCKS % 4
    return Bench(labels, folds, every, ~every, ("a", "b"), "b", Aim(), Resamples.of(BLOCKS), groups)


def by_device() -> np.ndarray:
    """Scores of a model that is right on most devices, and guesses on four of them."""
    draw = np.random.default_rng(4)
    labels = np.arange(len(OF)) % 2
    sure = np.where(OF % 3 == 0, 0.0, 2.5)
    return ((2 * labels - 1) * sure + draw.normal(size=len(OF)))[:, None]


def test_devices_that_differ_widen_what_their_stretches_do_not_show() -> None:
    """Stretches of one device share its mounting: eight devices in twelve said more than their 144 stretches did."""
    narrow = judge(by_device(), 0.0, bench()).intervals
    wide = judge(by_device(), 0.0, bench(Resamples.of(OF))).intervals
    assert narrow is not None and wide is not None
    one, other = narrow.of["F1"], wide.of["F1"]
    assert one is not None and other is not None
    assert other[1] - other[0] > 1.3 * (one[1] - one[0])
    few = judge(by_device(), 0.0, bench(Resamples.of(OF // 3))).intervals  # four say nothing about others
    assert few == narrow


def test_the_scores_on_the_hold_out_are_kept_by_question() -> None:
    found = widened(judge(by_device(), 0.0, bench()), [{"F1": 0.5, "MCC": 0.2}, {"F1": 0.4, "MCC": 0.1}])
    assert [each["F1"] for each in found.asked] == [0.5, 0.4]
    assert found.intervals is not None and found.intervals.of["F1"] is not None
    assert found.intervals.of["F1"][0] <= 0.4
