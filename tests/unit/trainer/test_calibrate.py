"""Probabilities and thresholds are never learned from the rows on which they are tested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import matthews_corrcoef
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from registry.errors import ModelRefused
from registry.model.allowed_types import dump_pipeline, load_pipeline
from registry.model.artifact import applied
from registry.model.classifier import OnnxEngine, PipelineEngine
from registry.model.manifest import Threshold
from trainer.candidate.compile import compile_pipeline
from trainer.evaluate import threshold
from trainer.evaluate.calibrate import ISOTONIC_ROWS, Calibration, cross, middle_of, scores_of
from trainer.evaluate.threshold import Aim, choose
from zelador.errors import InvalidInput

NAMES = ("a", "b", "c")


def data(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(rows, 3)).astype(np.float32)
    level = values[:, 0] + 0.8 * draw.normal(size=rows)
    return values, np.digitize(level, np.quantile(level, np.linspace(0, 1, classes + 1)[1:-1]))


def fitted(model: object, rows: int, classes: int) -> tuple[Pipeline, Calibration, np.ndarray]:
    values, labels = data(rows, classes)
    pipeline = Pipeline([("imputer", SimpleImputer()), ("model", model)])
    pipeline.fit(values, np.array(NAMES)[labels])
    return pipeline, Calibration.fit(scores_of(pipeline, values), labels, middle_of(pipeline)), values


@pytest.mark.parametrize("rows", [400, ISOTONIC_ROWS + 1_000])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", [LogisticRegression(), RidgeClassifier(), RandomForestClassifier(9, max_depth=3)])
def test_served_probabilities_equal_the_evaluated_ones(model: object, rows: int, classes: int) -> None:
    """The saved pipeline, the compiled one and our own formula give the same probabilities."""
    pipeline, calibration, values = fitted(model, rows, classes)
    served = load_pipeline("test", dump_pipeline(calibration.wrap(pipeline)))
    expected = calibration.probabilities(scores_of(pipeline, values))
    assert served.predict_proba(values) == pytest.approx(expected, abs=1e-6)
    compiled, why = compile_pipeline(calibration.wrap(pipeline), 3)
    assert compiled is not None, why
    rule = applied("test", Threshold("b", 0.3) if classes == 2 else None, NAMES[:classes], True)
    labels, shares = OnnxEngine("test", compiled, NAMES[:classes], True, rule).run(values)
    own_labels, own_shares = PipelineEngine(served, NAMES[:classes], rule).run(values)
    assert list(labels) == list(own_labels)
    assert shares == pytest.approx(own_shares, abs=1e-5)
    if classes == 2:
        assert own_shares is not None
        assert list(labels) == (own_shares[:, 1] >= 0.3).astype(int).tolist()


def test_calibrated_probabilities_mean_what_they_say() -> None:
    draw = np.random.default_rng(1)
    truth = draw.random(6_000)
    labels = (draw.random(6_000) < truth).astype(np.int64)
    scores = (10 * (truth - 0.5))[:, None] ** 3  # monotone, and nothing like a probability
    shares = cross(scores, labels, np.arange(6_000) % 5, 0.0)[:, 1]
    was, said = calibration_curve(labels, shares, n_bins=10)
    assert np.abs(was - said).max() < 0.06


def test_a_calibration_learns_nothing_from_the_rows_it_is_applied_to() -> None:
    """Labels are random by fold, and scores name the fold: only the fold's own labels could reveal the midpoint."""
    folds = np.repeat(np.arange(10), 300)
    labels = (folds * 7 % 10 >= 5).astype(np.int64)
    scores = folds[:, None] / 10
    honest = cross(scores, labels, folds, 0.5)
    for fold in range(10):  # the same without the fold's labels, whatever they are
        other = labels.copy()
        other[folds == fold] = 1 - other[folds == fold]
        assert np.array_equal(cross(scores, other, folds, 0.5)[folds == fold], honest[folds == fold])


def test_a_name_of_device_and_block_scores_at_chance_after_calibration_and_threshold() -> None:
    """A feature that is a hash of the block says nothing about other blocks, although it identifies its own."""
    found: dict[Aim, list[float]] = {Aim(): [], Aim(missed=3.0): [], Aim(recall=0.9): []}
    for seed in range(12):
        draw = np.random.default_rng(seed)
        blocks = np.repeat(np.arange(60), 30)
        labels = draw.permutation(np.arange(60) % 2)[blocks]
        feature = draw.random(60)[blocks][:, None]
        folds = draw.permutation(np.arange(60) % 5)[blocks]
        tree = DecisionTreeClassifier(random_state=0)
        scores = cross_val_predict(tree, feature, labels, cv=PredefinedSplit(folds), method="predict_proba")[:, [1]]
        shares = cross(scores, labels, folds, 0.5)[:, 1]
        for aim, each in found.items():
            each.append(matthews_corrcoef(labels, threshold.cross(shares, labels == 1, folds, aim)))
    assert all(np.mean(each) <= 0.05 for each in found.values())


@given(missed=st.floats(0.01, 100), alarm=st.floats(0.01, 100))
def test_the_threshold_by_cost_is_where_both_errors_cost_the_same(missed: float, alarm: float) -> None:
    found = choose(np.array([0.5]), np.array([True]), Aim(missed, alarm))
    assert found * missed == pytest.approx((1 - found) * alarm, rel=1e-3, abs=1e-3)
    assert choose(np.array([0.5]), np.array([True]), Aim()) == 0.5


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.floats(0.05, 1))
def test_the_threshold_keeps_the_recall_and_no_higher_one_would(rows: list[tuple[float, bool]], recall: float) -> None:
    shares, was = (np.array(column) for column in zip(*rows, strict=True))
    if not was.any():
        return
    found = choose(shares, was, Aim(recall=recall))
    assert (shares[was] >= found).mean() >= recall - 1e-9
    higher = shares[shares > found]
    if len(higher) and (above := shares >= np.nextafter(higher.min(), 2)).any():
        assert (shares[was] >= higher.min()).mean() >= recall or above[was].mean() < recall


@pytest.mark.parametrize(
    ("aim", "classes", "says"),
    [
        (Aim(missed=5.0), 3, "needs exactly two classes; there are 3"),
        (Aim(recall=0.0), 2, "--recall 0: must be above 0"),
        (Aim(missed=5.0, recall=0.9), 2, "not both"),
        (Aim(missed=-1.0), 2, "must be above 0"),
        (Aim(missed=float("inf")), 2, "must be above 0"),
    ],
)
def test_an_invalid_aim_is_refused(aim: Aim, classes: int, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        aim.check(classes)


@pytest.mark.parametrize("rule", [Threshold("x", 0.5), Threshold("b", 1.5), Threshold("b", float("nan"))])
def test_a_threshold_that_does_not_fit_its_model_is_refused(rule: Threshold) -> None:
    with pytest.raises(ModelRefused, match="threshold"):
        applied("m", rule, ("a", "b"), True)
    with pytest.raises(ModelRefused, match="threshold"):
        applied("m", Threshold("b", 0.5), ("a", "b"), False)


@pytest.mark.parametrize("rows", [400, ISOTONIC_ROWS + 1_000])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier(9, max_depth=3)])
def test_the_more_probable_class_is_the_one_that_the_model_says(model: object, rows: int, classes: int) -> None:
    """A calibration that moves the midpoint would learn it from a few days, and be wrong on the next."""
    pipeline, _, values = fitted(model, rows, classes)
    shifted = np.zeros(rows, np.int64) if classes == 2 else np.arange(rows) % 2
    shifted[: rows // 4] = classes - 1  # labels that would shift the model
    moved = Calibration.fit(scores_of(pipeline, values), shifted, middle_of(pipeline))
    said = np.array(NAMES)[moved.probabilities(scores_of(pipeline, values)).argmax(axis=1)]
    assert (said == pipeline.predict(values)).mean() > 0.999
