"""A 95 % interval contains the true score in about 95 % of cases, even if neighboring rows err together."""

from __future__ import annotations

import numpy as np
import pytest

from registry.evaluation.bootstrap import Resamples, between, difference, intervals, joined, too_few
from registry.evaluation.scores import Answers, scores
from zelador.model_metrics import METRICS

CLASSES = ("a", "b")


def in_runs(seed: int, blocks: int = 16, rows: int = 60, right: float = 0.8) -> tuple[Answers, np.ndarray]:
    """Answers that are right with probability `right`; right and wrong answers, and classes, come in runs."""
    draw = np.random.default_rng(seed)
    total = blocks * rows

    def runs(share: float) -> np.ndarray:
        fresh = draw.random(total) < 0.05
        return (draw.random(total) < share)[np.maximum.accumulate(np.where(fresh, np.arange(total), 0))]

    expected = runs(0.5).astype(np.int64)
    predicted = np.where(runs(right), expected, 1 - expected)
    shares = np.clip(np.where(predicted == 1, 0.8, 0.2) + draw.normal(0, 0.05, total), 0, 1)
    given = Answers(expected, predicted, np.stack([1 - shares, shares], axis=1), CLASSES, "b")
    return given, np.repeat(np.arange(blocks), rows)


def test_intervals_by_block_contain_the_truth_where_those_by_row_do_not() -> None:
    held = {"blocks": 0, "rows": 0}
    by_block, by_row = Resamples.of(blocks_of(16)), Resamples.of(np.arange(960))
    for seed in range(60):
        given, _ = in_runs(seed)
        bare = Answers(given.expected, given.predicted, None, CLASSES, "b")
        for name, resamples in (("blocks", by_block), ("rows", by_row)):
            low, high = intervals(bare, resamples).of["Accuracy"] or (0, 0)
            held[name] += low <= 0.8 <= high
    assert held["blocks"] >= 51  # of 60: 95 % is what it says
    assert held["rows"] <= 30


def test_every_metric_has_an_interval_around_its_score() -> None:
    given, blocks = in_runs(3)
    found = intervals(given, Resamples.of(blocks))
    assert (found.blocks, found.reason) == (16, None)
    for metric in METRICS:
        interval, score = found.of[metric], scores(given)[metric]
        assert interval is not None and score is not None
        assert interval[0] < score < interval[1]
    assert found == intervals(given, Resamples.of(blocks))  # the seed is fixed


def test_too_few_blocks_give_no_interval_but_a_reason() -> None:
    given, blocks = in_runs(3, blocks=9)
    found = intervals(given, Resamples.of(blocks))
    assert set(found.of.values()) == {None}
    assert found.reason == "too few independent stretches for an interval: 9, and it takes 10"
    rare = Answers((blocks == 0).astype(np.int64), given.predicted, None, CLASSES, "b")
    assert "the class 'b' is in 1 of 16" in (intervals(rare_in(16), Resamples.of(blocks_of(16))).reason or "")
    assert difference(rare, given, Resamples.of(blocks), "MCC").interval is None


def rare_in(blocks: int) -> Answers:
    expected = (blocks_of(blocks) == 0).astype(np.int64)
    return Answers(expected, expected, None, CLASSES, "b")


def blocks_of(blocks: int) -> np.ndarray:
    return np.repeat(np.arange(blocks), 60)


def test_a_class_in_few_blocks_or_in_few_runs_cannot_show_a_good_model() -> None:
    assert too_few(rare_in(9), Resamples.of(blocks_of(9))) == "the class 'b' is in 1 independent stretch only"
    answers, of_block = in_runs(0)
    assert too_few(answers, Resamples.of(of_block)) is None
    one_run = Resamples.of(of_block, runs=np.zeros(len(of_block), np.int64))
    assert "in 1 independent stretch only" in str(too_few(answers, one_run))


def test_the_fewer_blocks_the_wider() -> None:
    given, blocks = in_runs(5, blocks=40)
    by_two = intervals(given, Resamples.of(blocks // 2)).of["MCC"]
    few = given.at(blocks < 12)
    wide = intervals(few, Resamples.of(blocks[blocks < 12])).of["MCC"]
    assert by_two is not None and wide is not None
    assert wide[1] - wide[0] > by_two[1] - by_two[0]


def test_a_paired_difference_sees_what_two_intervals_hide() -> None:
    """Both models err together in the hard blocks, and one errs a little more everywhere."""
    given, blocks = in_runs(9, blocks=20)
    draw = np.random.default_rng(1)
    worse = np.where(draw.random(len(given)) < 0.12, 1 - given.predicted, given.predicted)
    other = Answers(given.expected, worse, None, CLASSES, "b")
    resamples = Resamples.of(blocks)
    ours, theirs = (intervals(each, resamples).of["Accuracy"] for each in (given, other))
    assert ours is not None and theirs is not None
    assert ours[0] < theirs[1]  # the intervals overlap
    found = difference(given, other, resamples, "Accuracy")
    assert found.is_clear
    assert found.value is not None and found.value > 0
    assert difference(other, given, resamples, "Accuracy").value == pytest.approx(-found.value)
    assert not difference(given, given, resamples, "MCC").is_clear


def test_a_metric_that_either_model_lacks_has_no_difference() -> None:
    given, blocks = in_runs(9)
    bare = Answers(given.expected, given.predicted, None, CLASSES, "b")
    found = difference(given, bare, Resamples.of(blocks), "AUC")
    assert (found.value, found.interval) == (None, None)


def test_many_units_are_merged() -> None:
    given, _ = in_runs(4, blocks=50)
    found = intervals(given, Resamples.of(np.arange(len(given))))
    assert found.blocks == 3_000
    low, high = found.of["Accuracy"] or (0, 1)
    assert 0.02 < high - low < 0.05  # as 3,000 independent rows: ±1.96 * sqrt(0.16 / 3,000)


def test_blocks_that_all_agree_do_not_make_a_score_certain() -> None:
    """A model that was right in each of 12 stretches may be wrong in the next one."""
    expected = np.arange(240) % 2
    answers = Answers(expected, expected, None, ("a", "b"), "b")
    found = intervals(answers, Resamples.of(np.arange(240) // 20)).of
    assert found["F1"] == (pytest.approx(12 / 13, abs=1e-6), 1.0)
    by_row = intervals(answers, Resamples.of(np.arange(240))).of["F1"]
    assert by_row is not None and by_row[0] > 0.99


def test_days_that_differ_widen_what_hours_do_not_show() -> None:
    """There are eight days, each with a different error rate that all devices share."""
    draw = np.random.default_rng(8)
    days, blocks = np.arange(8_000) // 1_000, np.arange(8_000) % 25
    expected = draw.integers(0, 2, 8_000)
    wrong = draw.random(8_000) < np.array([0.02, 0.4, 0.1, 0.3, 0.05, 0.35, 0.02, 0.2])[days]
    answers = Answers(expected, np.where(wrong, 1 - expected, expected), None, ("a", "b"), "b")
    narrow = intervals(answers, Resamples.of(blocks))
    wide = joined(narrow, between(answers, Resamples.of(days))).of["Accuracy"]
    assert narrow.of["Accuracy"] is not None and narrow.of["Accuracy"][0] > 0.75
    assert wide is not None and wide[0] < 0.73
    assert between(answers, Resamples.of(days // 2)) == {}  # four days say nothing about others
