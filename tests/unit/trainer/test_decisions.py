"""The trainer's decisions: which candidates, in which order, and who serves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB

from trainer.candidate.agreement import Comparison, decide, probe_rows
from trainer.compare.leaderboard import METRICS, Scored, ranked
from trainer.evaluate.score import scores


def scored(name: str, f1: float, accuracy: float = 0.9, auc: float = 0.8, failed: bool = False) -> Scored:
    folds = {metric: [0.5] * 5 for metric in METRICS}
    folds |= {"F1": [f1] * 5, "Accuracy": [0.0 if failed else accuracy] + [accuracy] * 4, "AUC": [auc] * 5}
    return Scored(name, folds)


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
    order = ranked([scored("dummy", 0.99), scored("et", 0.98, failed=True), scored("lr", 0.5)], "F1")
    assert order[0].id == "lr"
    assert scored("et", 0.9, failed=True).trouble() == "1 of 5 folds failed"
    assert "baseline" in str(scored("dummy", 0.9).trouble())


def test_an_auc_that_pycaret_wrote_as_zero_is_not_known() -> None:
    assert scored("svm", 0.9, auc=0.0).mean("AUC") is None
    assert scored("svm", 0.9).mean("AUC") == pytest.approx(0.8)


@given(st.permutations([("a", 0.5), ("b", 0.5), ("c", 0.7), ("d", 0.1)]))
def test_the_order_does_not_depend_on_the_order_given(candidates) -> None:
    assert [c.id for c in ranked([scored(*c) for c in candidates], "F1")] == ["c", "a", "b", "d"]


GOOD = Comparison(100, 0, 1e-7, 500.0, 50.0)


@pytest.mark.parametrize(
    ("comparison", "serves", "reason"),
    [
        (GOOD, "onnx", "agrees on all 100 rows"),
        (Comparison(100, 1, 1e-7, 500.0, 50.0), "pipeline", "1 of 100 labels differ"),
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


def test_scores_of_two_classes_are_of_the_later_one() -> None:
    expected, predicted = ["yes", "yes", "no", "no"], ["yes", "no", "no", "no"]
    found = scores(expected, predicted, ("no", "yes"), np.array([[0.1, 0.9], [0.6, 0.4], [0.7, 0.3], [0.9, 0.1]]))
    assert (found["Recall"], found["Precision"], found["Accuracy"], found["AUC"]) == (0.5, 1.0, 0.75, 1.0)
    assert scores(expected, predicted, ("no", "yes"), None)["AUC"] is None
    three = scores(["a", "b", "c"], ["a", "b", "b"], ("a", "b", "c"), None)
    assert three["Recall"] == pytest.approx(2 / 3, abs=1e-6)
