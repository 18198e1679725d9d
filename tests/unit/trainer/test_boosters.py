"""A model of XGBoost or CatBoost is served by its compiled form, which answers as it does, next to each split too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from catboost import CatBoostClassifier
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier

from registry.evaluation.bootstrap import Difference
from registry.evaluation.scores import Answers, scores
from registry.model.artifact import PIPELINE, Upload, manifest_of, open_classifier, pack
from registry.model.manifest import Feature, Threshold
from trainer.candidate.boosters import Unsupported, library_of, trees_of
from trainer.candidate.build import NotServable, build
from trainer.candidate.rebuild import fit, rebuild
from trainer.compare.ensemble import blend, fitted, stack
from trainer.evaluate.calibrate import Calibration, scores_of
from trainer.evaluate.learnable import Learnable
from trainer.evaluate.split_rows import Parts
from trainer.evaluate.verdict import Contender, decide

XGB = XGBClassifier(n_estimators=12, n_jobs=1)
CAT = CatBoostClassifier(iterations=12, thread_count=1, verbose=0, allow_writing_files=False)


def parts_of(classes: int) -> tuple[Parts, np.ndarray[Any, np.dtype[np.int64]]]:
    draw = np.random.default_rng(0)
    rows = (draw.normal(size=(500, 3)) * [1, 300, 0.02]).round(2).astype(np.float32)
    codes = np.digitize(rows[:, 0] + draw.normal(0, 0.4, 500), np.linspace(-1, 1, classes + 1)[1:-1])
    names = tuple("abc"[:classes])
    labels = tuple(names[code] for code in codes)
    return Parts(rows[:400], labels[:400], rows[400:].astype(float), labels[400:], names), codes[:400]


def calibration_of(pipeline: Pipeline, parts: Parts, codes: Any) -> Calibration:
    return Calibration.fit(scores_of(pipeline, parts.train), codes, 0.5)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", [XGB, CAT], ids=["xgboost", "catboost"])
def test_the_compiled_form_agrees_and_is_all_that_is_saved(model: Any, classes: int) -> None:
    parts, codes = parts_of(classes)
    pipeline = rebuild(model, parts)
    built = build(pipeline, calibration_of(pipeline, parts, codes), None, parts, 1)
    assert built.onnx is not None and built.compiled_only
    assert built.agreement["labels_that_differ"] == 0
    assert built.agreement["rows"] == 2_100
    upload = Upload(
        built.pipeline, tuple(map(Feature, "xyz")), parts.classes, onnx=built.onnx, compiled_only=built.compiled_only
    )
    files = pack(upload)
    assert PIPELINE not in files
    loaded = open_classifier(manifest_of(upload, "m", files, "now"), "", files)
    assert loaded.classify(parts.holdout).labels == built.pipeline.predict(parts.holdout).tolist()


def test_a_blend_and_a_stack_with_them_agree_too() -> None:
    parts, codes = parts_of(2)
    members = [("lr", LogisticRegression()), ("xgboost", XGB), ("catboost", CAT)]
    shares = [np.hstack([1 - codes[:, None] * 0.8 - 0.1, codes[:, None] * 0.8 + 0.1])] * 3
    made, _ = stack(members, shares, codes, np.arange(400) % 3)
    for pipeline in (rebuild(blend(members), parts), fitted(made, parts, lambda *given: fit(*given, balance=None))):
        built = build(pipeline, Calibration.fit(codes[:, None] - 0.5, codes, 0.0), None, parts, 1)
        assert built.onnx is not None and built.compiled_only, built.agreement


def test_a_forest_whose_trees_are_split_evenly_is_compiled() -> None:
    """Half of the trees say "b", so its probability is 0.5, which is the threshold; in single precision it is less."""
    parts, codes = parts_of(2)
    pipeline = rebuild(RandomForestClassifier(24, random_state=0), parts)
    scores = scores_of(pipeline, parts.train)
    assert (np.abs(scores_of(pipeline, parts.holdout) - 0.5) < 1e-9).any()
    built = build(pipeline, Calibration.fit(scores, codes, 0.5), Threshold("b", 0.5), parts, 1)
    assert built.agreement["labels_that_differ"] == 0


def test_a_split_that_is_one_float_off_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, codes = parts_of(2)
    pipeline = rebuild(XGB, parts)
    monkeypatch.setattr("trainer.candidate.boosters.np.nextafter", lambda values, _: values)
    with pytest.raises(NotServable, match="a model of XGBoost is served by its compiled form only, and "):
        build(pipeline, calibration_of(pipeline, parts, codes), None, parts, 1)


def test_trees_of_other_shapes_are_refused() -> None:
    parts, codes = parts_of(2)
    dart = XGBClassifier(n_estimators=2, booster="dart").fit(parts.train, codes)
    leaves = CatBoostClassifier(iterations=2, grow_policy="Lossguide", verbose=0, allow_writing_files=False)
    for model in (dart, leaves.fit(parts.train, codes)):
        with pytest.raises(Unsupported):
            trees_of(model)


def test_the_library_is_found_inside_a_blend() -> None:
    assert library_of(RandomForestClassifier()) is None
    assert library_of(Pipeline([("i", SimpleImputer())])) is None
    assert library_of(VotingClassifier([("lr", LogisticRegression()), ("cat", CAT)])) == "catboost"


def test_a_winner_that_cannot_be_served_is_named_with_the_one_to_take() -> None:
    first = Contender("XGBoost", 0.9, (0.8, 0.95), None, (0.7, 0.9), 0.8, built=False)
    second = Contender("Ridge", 0.5, (0.4, 0.6), Difference(0.4, (0.2, 0.6)), (0.2, 0.6), 0.4, us_per_row=1.0)
    found = decide([first, second], "F1", Learnable(0.001), {}, 2)
    assert found.take == "Ridge"
    assert found.sentence.startswith("XGBoost is better than the other one")
    assert found.sentence.endswith("It cannot be served, so take Ridge, the best that can.")


def test_a_model_is_judged_by_the_answers_of_the_form_that_serves() -> None:
    """The compiled form rounds probabilities to single precision, which puts rows of a flat part of the calibration in
    another order: a later run that tests the model while it is live must find the same AUC and PR-AUC.
    """
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(3_000, 3)).round(2).astype(np.float32)
    codes = (rows[:, 0] + draw.normal(0, 0.8, 3_000) > 0.7).astype(np.int64)
    labels = tuple("ab"[code] for code in codes)
    parts = Parts(rows[:2_000], labels[:2_000], rows[2_000:].astype(float), labels[2_000:], ("a", "b"))
    pipeline = rebuild(LogisticRegression(), parts)
    built = build(pipeline, calibration_of(pipeline, parts, codes[:2_000]), None, parts, 1)
    assert built.onnx is not None and built.shares is not None
    upload = Upload(built.pipeline, tuple(map(Feature, "xyz")), parts.classes, onnx=built.onnx)
    files = pack(upload)
    served = open_classifier(manifest_of(upload, "m", files, "now"), "", files)
    indices, shares = served.run(parts.holdout)
    assert (list(indices), shares.tolist()) == (built.indices.tolist(), built.shares.tolist())
    exact = scores(Answers(codes[2_000:], built.indices, built.pipeline.predict_proba(parts.holdout), ("a", "b"), "b"))
    assert exact["PR-AUC"] != scores(built.answers(codes[2_000:], ("a", "b"), "b"))["PR-AUC"]  # a case that tells them
