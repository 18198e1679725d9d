from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluate.score import confusion, scores


def test_of_two_classes_the_later_one_is_positive() -> None:
    found = scores(["no", "no", "yes", "yes"], ["no", "yes", "yes", "yes"], ("no", "yes"), None)
    assert found["Recall"] == 1.0
    assert found["Precision"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["AUC"] is None


def test_of_three_classes_the_scores_are_weighted() -> None:
    expected = ["a", "a", "a", "b", "c"]
    found = scores(expected, ["a"] * 5, ("a", "b", "c"), np.tile([0.6, 0.2, 0.2], (5, 1)))
    assert found["Recall"] == pytest.approx(0.6)
    assert found["AUC"] == pytest.approx(0.5)


def test_an_auc_that_is_not_defined_is_none() -> None:
    found = scores(["a", "b"], ["a", "a"], ("a", "b", "c"), np.tile([0.6, 0.2, 0.2], (2, 1)))
    assert found["AUC"] is None


def test_confusion_counts_what_was_so_by_row_and_what_was_said_by_column() -> None:
    assert confusion(["a", "a", "b"], ["a", "b", "b"], ("a", "b")) == [[1, 1], [0, 1]]
