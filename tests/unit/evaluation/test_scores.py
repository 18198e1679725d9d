"""The metrics agree with scikit-learn's, and say nothing where they are not defined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from registry.evaluation.scores import Answers, confusion, scores
from zelador.errors import InvalidInput
from zelador.model_metrics import METRICS

CLASSES = ("a", "b", "c")


def answers(seed: int, rows: int, width: int, ties: bool) -> Answers:
    draw = np.random.default_rng(seed)
    expected = np.concatenate([np.arange(width), draw.integers(0, width, rows)])  # each class at least once
    shares = draw.dirichlet(np.ones(width), len(expected))
    if ties:
        shares = np.round(shares, 1)
        shares = (shares + 0.01) / (shares + 0.01).sum(axis=1, keepdims=True)
    names = CLASSES[:width]
    labels = [names[code] for code in expected]
    return Answers.of(labels, [names[code] for code in shares.argmax(axis=1)], names, shares)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.sampled_from([2, 3]), st.booleans())
def test_every_metric_is_scikit_learns(seed: int, rows: int, width: int, ties: bool) -> None:
    given = answers(seed, rows, width, ties)
    found, true, said = scores(given), given.expected, given.predicted
    positive = None if given.positive is None else given.classes.index(given.positive)
    average = {"average": "weighted"} if positive is None else {"average": "binary", "pos_label": positive}
    shares = given.probabilities
    assert shares is not None
    if positive is None:
        area = metrics.roc_auc_score(true, shares, multi_class="ovr", average="weighted")
        each = [metrics.average_precision_score(true == code, shares[:, code]) for code in range(width)]
        precision = float(np.average(each, weights=np.bincount(true, minlength=width)))
    else:
        area = metrics.roc_auc_score(true == positive, shares[:, positive])
        precision = metrics.average_precision_score(true == positive, shares[:, positive])
    wanted = {
        "Accuracy": metrics.accuracy_score(true, said),
        "AUC": area,
        "Recall": metrics.recall_score(true, said, zero_division=0.0, **average),
        "Precision": metrics.precision_score(true, said, zero_division=0.0, **average),
        "F1": metrics.f1_score(true, said, zero_division=0.0, **average),
        "Kappa": metrics.cohen_kappa_score(true, said),
        "MCC": metrics.matthews_corrcoef(true, said),
        "PR-AUC": precision,
    }
    assert tuple(found) == METRICS
    assert found == pytest.approx(wanted, abs=2e-6)


def test_the_positive_class_is_the_rarer_of_two_whatever_the_alphabet_says() -> None:
    expected, predicted = ["fault", "ok", "ok", "ok"], ["fault", "fault", "ok", "ok"]
    given = Answers.of(expected, predicted, ("fault", "ok"))
    assert given.positive == "fault"
    assert (scores(given)["Recall"], scores(given)["Precision"]) == (1.0, 0.5)
    asked = Answers.of(expected, predicted, ("fault", "ok"), positive="ok")
    assert scores(asked)["Recall"] == pytest.approx(2 / 3, abs=1e-6)
    assert Answers.of(["no", "yes"], ["no", "yes"], ("no", "yes")).positive == "yes"  # equals: the later
    assert Answers.of(["a", "b", "c"], ["a", "b", "c"], CLASSES).positive is None


def test_an_invalid_positive_class_is_refused() -> None:
    with pytest.raises(InvalidInput, match="there is no such class; choose from a, b"):
        Answers.of(["a", "b"], ["a", "b"], ("a", "b"), positive="x")
    with pytest.raises(InvalidInput, match="3 classes; only one of two"):
        Answers.of(["a"], ["a"], CLASSES, positive="a")
    with pytest.raises(InvalidInput, match="'x' is not a class of the model"):
        Answers.of(["x"], ["a"], CLASSES)


def test_rows_of_one_class_do_not_show_whether_classes_are_told_apart() -> None:
    """The metric is undefined, not 0: otherwise a fold with one class would silently lower the mean."""
    found = scores(Answers.of(["a"] * 4, ["a", "a", "a", "b"], ("a", "b"), np.full((4, 2), 0.5), positive="b"))
    assert found["Accuracy"] == 0.75
    assert all(found[metric] is None for metric in ("AUC", "MCC", "Kappa", "Recall", "F1", "PR-AUC"))
    empty = scores(Answers.of([], [], ("a", "b")))
    assert set(empty.values()) == {None}


def test_without_probabilities_there_is_no_area() -> None:
    found = scores(Answers.of(["a", "b"], ["a", "b"], ("a", "b")))
    assert (found["AUC"], found["PR-AUC"], found["MCC"]) == (None, None, 1.0)


def test_confusion_has_true_classes_by_row_and_predictions_by_column() -> None:
    assert confusion(Answers.of(["a", "a", "b"], ["a", "b", "b"], ("a", "b"))) == [[1, 1], [0, 1]]
