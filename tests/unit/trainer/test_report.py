"""The numbers behind a candidate's plots, compared with hand calculation or scikit-learn."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from unittest.mock import ANY

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from registry.evaluation.scores import Answers
from trainer.evaluate.error_counts import error_counts
from trainer.evaluate.groups import by_class, by_device
from trainer.evaluate.learning import Rows, learning, sentence
from trainer.evaluate.report import (
    POINTS,
    RANGE_BINS,
    Report,
    by_threshold,
    calibration,
    importance,
    precision_recall,
    ranges,
    report,
    roc,
)
from trainer.evaluate.split_rows import Parts
from trainer.evaluate.threshold import Aim

RANDOM = np.random.default_rng(3)
FEATURES = ("lux", "temperature", "vibration")


def split(classes: tuple[str, ...] = ("no", "yes"), rows: int = 900) -> Parts:
    """The class depends on vibration, a little on temperature, and not on lux."""
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


def test_precision_and_recall_are_short_and_have_their_area() -> None:
    was = RANDOM.random(5_000) < 0.3
    share = (RANDOM.random(5_000) + was) / 2
    found = precision_recall(was, share)
    assert len(found["recall"]) == len(found["precision"]) <= POINTS
    assert (found["recall"][0], found["recall"][-1], found["precision"][-1]) == (1.0, 0.0, 1.0)
    assert found["area"] == pytest.approx(average_precision_score(was, share), abs=1e-6)


def test_scores_by_class_and_by_device_by_hand() -> None:
    """Device c has only wrong answers, but on two rows, too few to be named as the worst."""
    expected, predicted = np.array([0] * 20 + [1] * 20), np.array([0] * 15 + [1] * 5 + [1] * 16 + [0] * 4)
    answers = Answers(expected, predicted, None, ("no", "yes"), "yes")
    assert by_class(answers) == [
        {"label": "no", "rows": 20, "precision": pytest.approx(15 / 19, abs=1e-6), "recall": 0.75, "f1": ANY},
        {"label": "yes", "rows": 20, "precision": pytest.approx(16 / 21, abs=1e-6), "recall": 0.8, "f1": ANY},
    ]
    devices = np.array([0] * 18 + [2] * 2 + [1] * 20)
    found = by_device(answers, devices, ("a", "b", "c"), "F1")
    assert found is not None
    assert [(each["device"], each["rows"], each["errors"]) for each in found["rows"]] == [
        ("c", 2, 1.0), ("b", 20, 0.2), ("a", 18, pytest.approx(3 / 18, abs=1e-6)),
    ]  # fmt: skip
    assert (found["devices"], found["worst"]) == (3, "b")
    counted = [(each["found"], each["positives"], each["false_alarms"]) for each in found["rows"]]
    assert counted == [(0, 0, 2), (16, 20, 0), (0, 0, 3)]
    assert "found" not in (by_device(replace(answers, positive=None), devices, ("a", "b", "c"), "F1") or {})["rows"][0]
    assert by_device(answers, None, (), "F1") is by_device(answers, np.zeros(40, int), ("a",), "F1") is None


def rows(noise: float, stretches: int = 18) -> Rows:
    draw = np.random.default_rng(5)
    of = np.repeat(np.arange(stretches), 40)
    labels = draw.integers(0, 2, len(of))
    values = np.stack([labels + noise * draw.normal(size=len(of)), draw.normal(size=len(of))], axis=1)
    return Rows(values, labels, of % 5, of, ("no", "yes"), "yes")


def test_the_learning_curve_counts_stretches_and_estimates_the_gain_of_more_data() -> None:
    found = learning(LogisticRegression(), rows(0.3), "MCC", (0.7, 0.9), 7)
    assert not isinstance(found, str)
    assert (found["metric"], found["stretches"]) == ("MCC", [4, 7, 10, 14])
    assert min(found["scores"]) > 0.8
    assert (
        "would hardly raise it. 18 more stretches would narrow its interval from ±0.10 to about ±0.07."
        in (found["sentence"])
    )
    assert learning(LogisticRegression(), rows(0.3, 6), "MCC", None, 7) == (
        "It needs 8 stretches of time to learn from; there are 6."
    )
    late = count(0, 100)  # seconds: the first fit takes the budget
    slow = learning(LogisticRegression(), rows(0.3), "MCC", None, 7, clock=lambda: next(late))
    assert slow == "The model takes more than 2.5 s of CPU time to be fitted on parts of the readings."
    assert "could not be fitted" in str(learning(LogisticRegression(C=-1.0), rows(0.3), "MCC", None, 7))
    assert "rose from 0.50 to 0.60: more labeled stretches are likely" in sentence("F1", [4, 8], [0.5, 0.6], None, 9)


def test_calibration_by_hand() -> None:
    share = np.array([0.02, 0.08, 0.95, 1.0])
    found = calibration(np.array([False, True, True, True]), share)
    assert found == {"said": [0.05, 0.975], "was": [0.5, 1.0], "rows": [2, 2], "error": pytest.approx(0.2375)}


def test_threshold_by_hand() -> None:
    share = np.array([0.1, 0.4, 0.6, 0.9])
    found = by_threshold(np.array([False, True, False, True]), share, Aim(missed=20.0, false_alarm=2.0), 0.09)
    by_value = ("threshold", "precision", "recall", "f1", "cost")
    at = {name: found[name][found["threshold"].index(0.5)] for name in by_value}
    assert at == {"threshold": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "cost": 1_000 * 22 / 4}
    assert (found["chosen"], found["costs"]) == (0.09, [20.0, 2.0])
    assert found["precision"][-1] is None  # from 0.95 on there is no alarm
    assert found["recall"][-1] == 0.0


def test_errors_are_counted_by_threshold_on_the_folds_and_on_the_hold_out() -> None:
    """A row exactly at the threshold counts as positive, as in live inference."""
    shares = np.array([0.0005, 0.25, 0.5, 0.75, 0.9995, 0.5])
    expected = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.stack([1 - shares, shares], axis=1)
    answers = Answers(expected, (shares >= 0.5).astype(np.int64), probabilities, ("no", "yes"), "yes")
    found = error_counts(answers, answers.at(np.array([1, 4, 5])))
    assert found is not None and found["held_out"] is not None
    at = {threshold: place for place, threshold in enumerate(found["threshold"])}
    assert [found["folds"]["missed"][at[each]] for each in (0.001, 0.5, 0.51, 0.75, 0.76, 0.999)] == [0, 0, 1, 1, 2, 2]
    alarms = [found["folds"]["false_alarms"][at[each]] for each in (0.001, 0.25, 0.26, 0.5, 0.51)]
    assert alarms == [2, 2, 1, 1, 0]
    assert (found["folds"]["rows"], found["folds"]["positives"], found["held_out"]["positives"]) == (6, 3, 2)
    assert error_counts(replace(answers, positive=None), None) is None
    assert error_counts(answers.at(expected == 1), None) is None
    json.dumps(found)


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


def test_ranges_leave_out_missing_values() -> None:
    column = np.arange(101.0)
    holed = np.where(column < 50, np.nan, column)
    found = ranges(np.column_stack([column, holed, np.full(101, np.nan)]), FEATURES)
    counts = found["lux"]["counts"]
    assert (len(counts), sum(counts)) == (RANGE_BINS, 101)
    shown = {"minimum": 0.0, "p1": 1.0, "median": 50.0, "p99": 99.0, "maximum": 100.0, "missing": 0.0}
    assert found["lux"] == {**shown, "counts": counts}
    assert (found["temperature"]["minimum"], found["temperature"]["missing"]) == (
        50.0,
        pytest.approx(50 / 101, abs=1e-6),
    )
    assert "vibration" not in found


def test_two_classes_give_one_curve_and_more_give_one_each() -> None:
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
