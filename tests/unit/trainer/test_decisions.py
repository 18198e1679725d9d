"""The trainer's decisions: which candidates, in which order, and who serves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB

from trainer.candidate.agreement import Comparison, decide, probe_rows
from trainer.compare.leaderboard import Scored, ranked


def scored(name: str, f1: float | None, accuracy: float = 0.9, failed: str | None = None) -> Scored:
    return Scored(name, {"F1": f1, "MCC": 0.5, "Accuracy": accuracy}, failed)


def test_best_first_at_full_precision_and_equals_by_accuracy_then_name() -> None:
    order = ranked(
        [
            scored("rf", 0.91234),
            scored("lr", 0.91236),
            scored("nb", 0.9, 0.95),
            scored("dt", 0.9, 0.9),
            scored("ada", 0.9, 0.9),
        ],
        "F1",
    )
    assert [candidate.id for candidate in order] == ["lr", "rf", "nb", "ada", "dt"]


def test_the_dummy_and_a_candidate_with_a_failed_fold_come_last_and_say_why() -> None:
    order = ranked([scored("dummy", 0.99), scored("et", None, failed="fold 2 failed: X"), scored("lr", 0.5)], "F1")
    assert [candidate.id for candidate in order] == ["lr", "dummy", "et"]
    assert order[2].trouble() == "fold 2 failed: X"
    assert "baseline" in str(order[1].trouble())


@given(st.permutations([("a", 0.5), ("b", 0.5), ("c", 0.7), ("d", 0.1), ("e", None)]))
def test_the_order_does_not_depend_on_the_order_given(candidates) -> None:
    assert [c.id for c in ranked([scored(*c) for c in candidates], "F1")] == ["c", "a", "b", "d", "e"]


GOOD = Comparison(100, 0, 1e-7, 500.0, 50.0)


@pytest.mark.parametrize(
    ("comparison", "serves", "reason"),
    [
        (GOOD, "onnx", "agrees on all 100 rows"),
        (Comparison(100, 1, 1e-7, 500.0, 50.0), "pipeline", "1 of 100 labels differs"),
        (Comparison(100, 0, 1.1e-5, 500.0, 50.0), "pipeline", "a probability differs"),
        (Comparison(100, 0, float("nan"), 500.0, 50.0), "pipeline", "a probability differs"),
        (Comparison(100, 0, 1e-7, 50.0, 500.0), "pipeline", "not faster"),
        (Comparison(100, 0, None, 500.0, 50.0), "onnx", "agrees"),
    ],
)
def test_the_compiled_model_serves_only_if_it_agrees_and_is_faster(comparison, serves, reason) -> None:
    verdict = decide(comparison, None)
    assert verdict.serves == serves
    assert reason in verdict.reason
    assert decide(None, "it does not convert: x").reason == "it does not convert: x"


def test_probe_rows_lie_beside_the_thresholds_of_trees() -> None:
    rng = np.random.default_rng(0)
    rows = rng.random((200, 2))
    forest = RandomForestClassifier(3, random_state=0).fit(rows, rows[:, 0] > 0.5)
    probes = probe_rows(forest, rows, seed=1)
    thresholds = {
        np.float32(t)
        for tree in forest.estimators_
        for t, f in zip(tree.tree_.threshold, tree.tree_.feature, strict=True)
        if f >= 0
    }
    near = (
        thresholds
        | {np.nextafter(t, np.float32(9)) for t in thresholds}
        | {np.nextafter(t, np.float32(-9)) for t in thresholds}
    )
    assert all(any(np.float32(value) in near for value in row) for row in probes)
    assert probe_rows(GaussianNB().fit(rows, rows[:, 0] > 0.5), rows, seed=1).shape == probes.shape
