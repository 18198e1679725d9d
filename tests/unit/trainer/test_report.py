"""What is drawn of a candidate: each number by hand, or by scikit-learn's own word."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import auc, roc_auc_score

from registry.evaluation.scores import Answers
from trainer.evaluate.parts import Parts
from trainer.evaluate.report import POINTS, Report, by_threshold, calibration, importance, ranges, report, roc

RANDOM = np.random.default_rng(3)
FEATURES = ("lux", "temperature", "vibration")


def split(classes: tuple[str, ...] = ("no", "yes"), rows: int = 900) -> Parts:
    """The class hangs on vibration, a little on temperature, not on lux."""
    values = RANDOM.normal(size=(rows, 3))
    level = values[:, 2] + 0.3 * values[:, 1] + 0.3 * RANDOM.normal(size=rows)
    cuts = np.quantile(level, np.linspace(0, 1, len(classes) + 1)[1:-1])
    labels = [classes[index] for index in np.searchsorted(cuts, level)]
    half = rows // 2
    return Parts(values[:half], tuple(labels[:half]), values[half:], tuple(labels[half:]), classes)


def fitted(data: Parts, model: object) -> object:
    return model.fit(data.train, np.array(data.train_labels))


def drawn(data: Parts, model: object) -> Report:
    answers = Answers.of(
        data.holdout_labels,
        model.predict(data.holdout).tolist(),
        data.classes,
        model.predict_proba(data.holdout) if hasattr(model, "predict_proba") else None,
        "yes" if "yes" in data.classes else None,
    )
    return report(model, data, answers, FEATURES, 7)


def test_roc_is_short_monotonous_and_has_its_area() -> None:
    was, share = RANDOM.random(5_000) < 0.3, RANDOM.random(5_000)
    share = (share + was) / 2
    found = roc(was, share)
    assert len(found["found"]) <= POINTS
    assert (found["false_alarms"][0], found["found"][0]) == (0.0, 0.0)
    assert (found["false_alarms"][-1], found["found"][-1]) == (1.0, 1.0)
    assert (np.diff(found["false_alarms"]) >= 0).all()
    assert (np.diff(found["found"]) >= 0).all()
    assert found["area"] == pytest.approx(roc_auc_score(was, share), abs=1e-6)
    assert auc(found["false_alarms"], found["found"]) == pytest.approx(found["area"], abs=0.01)


def test_calibration_by_hand() -> None:
    share = np.array([0.02, 0.08, 0.95, 1.0])
    found = calibration(np.array([False, True, True, True]), share)
    assert found == {"said": [0.05, 0.975], "was": [0.5, 1.0], "rows": [2, 2], "error": pytest.approx(0.2375)}


def test_threshold_by_hand() -> None:
    share = np.array([0.1, 0.4, 0.6, 0.9])
    found = by_threshold(np.array([False, True, False, True]), share)
    at = {name: values[found["threshold"].index(0.5)] for name, values in found.items()}
    assert at == {"threshold": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert found["precision"][-1] is None  # from 0.95 on there is no alarm
    assert found["recall"][-1] == 0.0


def test_importance_is_as_scikit_learn_has_it() -> None:
    data = split()
    model = fitted(data, LogisticRegression())
    found = importance(model, data, FEATURES, 7)
    assert [each["feature"] for each in found["features"]] == ["vibration", "temperature", "lux"]
    theirs = permutation_importance(
        model, data.holdout, np.array(data.holdout_labels),
        scoring=lambda m, x, y: __import__("sklearn.metrics").metrics.f1_score(y, m.predict(x), pos_label="yes"),
        n_repeats=30, random_state=1,
    )  # fmt: skip
    by_name = dict(zip(FEATURES, theirs.importances_mean, strict=True))
    for each in found["features"]:
        assert each["mean"] == pytest.approx(by_name[each["feature"]], abs=0.06)  # of 5 and of 30 shuffles
    assert importance(model, data, FEATURES, 7) == found


def test_ranges_leave_out_what_was_missing() -> None:
    column = np.arange(101.0)
    holed = np.where(column < 50, np.nan, column)
    found = ranges(np.column_stack([column, holed, np.full(101, np.nan)]), FEATURES)
    assert found["lux"] == {"minimum": 0.0, "p1": 1.0, "median": 50.0, "p99": 99.0, "maximum": 100.0, "missing": 0.0}
    assert (found["temperature"]["minimum"], found["temperature"]["missing"]) == (
        50.0,
        pytest.approx(50 / 101, abs=1e-6),
    )
    assert "vibration" not in found


def test_two_classes_draw_the_positive_one_more_draw_each() -> None:
    two, three = split(), split(("high", "low", "middle"))
    found = drawn(two, fitted(two, LogisticRegression()))
    assert set(found["roc"]) == set(found["calibration"]) == set(found["threshold"]) == {"yes"}
    assert sum(map(sum, found["confusion"])) == found["rows"] == 450
    assert set(drawn(three, fitted(three, LogisticRegression()))["roc"]) == {"high", "low", "middle"}
    assert len(json.dumps(found)) < 20_000


def test_without_probabilities_there_are_no_curves() -> None:
    data = split()
    found = drawn(data, fitted(data, RidgeClassifier()))
    assert found["roc"] == found["calibration"] == found["threshold"] == {}
    assert found["importance"]["features"]


def test_a_class_that_the_hold_out_lacks_has_no_curve() -> None:
    data = split(("high", "low", "middle"))
    kept = [i for i, label in enumerate(data.holdout_labels) if label != "middle"]
    lacking = Parts(
        data.train, data.train_labels, data.holdout[kept], tuple(data.holdout_labels[i] for i in kept), data.classes
    )
    assert set(drawn(lacking, fitted(data, LogisticRegression()))["roc"]) == {"high", "low"}
