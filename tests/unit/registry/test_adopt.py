"""A model is adopted only after it has answered: the objects of pickles are joined, named and asked, or refused."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import SVC

from registry.adopt.adopt import Adopted, adopt
from registry.adopt.plain import _parts
from registry.adopt.relabel import relabeled
from registry.errors import ModelRefused
from registry.model import golden
from registry.model.artifact import Upload, manifest_of, open_classifier, pack
from registry.model.classifier import Classifier
from registry.model.manifest import Feature
from tests import old_models
from tests.old_cases import CASES, Case
from tests.old_models import FEATURES
from zelador.errors import InvalidInput


def adopted(case: Case) -> Adopted:
    """The adopted case, after a round trip through a pickle; lambdas cannot be pickled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        what = case.what()
        if "lambda" not in str(what):
            file = io.BytesIO()
            joblib.dump(what, file)
            file.seek(0)
            what = joblib.load(file)
        return adopt({"": what}, {}, features=case.features, named_columns=True)


def opened(upload: Upload) -> Classifier:
    """The model as a worker loads it: from its files, after its golden rows."""
    files = pack(upload, "m")
    return open_classifier(manifest_of(upload, "m", files, "2026-01-01T00:00:00.000Z"), "", files)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.refused])
def test_it_answers_as_it_did_where_it_was_made(name: str) -> None:
    case = CASES[name]
    found = adopted(case)
    classifier = opened(found.upload)
    assert classifier.features == case.columns
    if set(case.columns) <= set(FEATURES):
        rows = old_models.ROWS[:, [FEATURES.index(column) for column in case.columns]]
        answer = classifier.classify(rows)
        assert tuple(answer.labels) == case.labels or len(case.columns) == 1
        assert answer.probabilities is None or np.allclose(answer.probabilities.sum(axis=1), 1.0)
    assert case.noted in " | ".join(found.notes)
    for part in _parts(found.upload.pipeline):
        assert getattr(part, "n_jobs", None) in (None, 1)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.refused])
def test_it_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        opened(adopted(CASES[name]).upload)
    assert re.search(CASES[name].refused, str(refused.value))


def test_the_classes_get_the_names_that_a_person_gives() -> None:
    found = adopt({"": old_models.voted()}, {}, classes=("alarm", "fine"))
    assert opened(found.upload).classify(old_models.ROWS).labels == ["fine", "alarm"]
    with pytest.raises(InvalidInput, match="--classes has 1 names, the model has 2"):
        adopt({"": old_models.voted()}, {}, classes=("alarm",))
    with pytest.raises(InvalidInput, match="cannot change places"):
        adopt({"": old_models.voted()}, {}, classes=("1", "0"))
    model = old_models.of_table(old_models.forest())
    found = adopt({"": model}, {}, classes=("normal", "fault"))
    assert found.notes == ("its own order of classes is kept: fault, normal",)
    assert opened(found.upload).classify(old_models.ROWS).labels == old_models.EXPECTED


@pytest.mark.parametrize(
    "model",
    [
        old_models.voted,
        lambda: GridSearchCV(old_models.linear(), {"C": [1]}, cv=2).fit(*coded()).best_estimator_,
        lambda: make_pipeline(StandardScaler(), SVC()).fit(*coded()),
        lambda: AdaBoostClassifier(n_estimators=3, algorithm="SAMME").fit(*coded()),
        lambda: OneVsRestClassifier(old_models.linear()).fit(*coded()),
        lambda: LGBMClassifier(n_estimators=3, verbose=-1).fit(*coded()),
        lambda: StackingClassifier([("a", GaussianNB())], cv=2).fit(*coded()),
        lambda: CalibratedClassifierCV(old_models.forest(), cv=2).fit(*coded()),
    ],
)
def test_a_model_of_codes_predicts_the_names_of_its_classes(model: Callable[[], Any]) -> None:
    """Once a label encoder was joined, but the loaded model still answered 0 and 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = model()
        named = relabeled(fitted, ("fault", "normal"))
        assert [("fault", "normal")[code] for code in fitted.predict(old_models.ROWS)] == list(
            named.predict(old_models.ROWS)
        )
    assert list(named.classes_) == ["fault", "normal"]
    assert relabeled(named, ("fault", "normal")) is named


def test_a_model_that_cannot_be_renamed_says_what_its_codes_mean() -> None:
    model = Constant().fit(*coded())
    with pytest.warns(UserWarning, match="predicts the codes 0, 1; they stand for fault, normal"):
        assert relabeled(model, ("fault", "normal")) is model


def test_a_slow_model_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("registry.adopt.adopt.time.thread_time", lambda: next(clock) * 0.034)
    found = adopt({"": old_models.of_table(old_models.forest())}, {})
    assert found.notes == (
        "it is slow: 34 ms of processor time for one reading; fewer trees or neighbors answer faster",
    )


def coded() -> tuple[np.ndarray, np.ndarray]:
    return old_models.data().rows, old_models.data().codes


class Constant(LogisticRegression):
    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803 - its name in scikit-learn
        return np.zeros(len(X), dtype=int)


def test_names_in_another_order_than_the_model_move_no_column() -> None:
    model = old_models.of_table(old_models.forest())
    found = adopt({"": model}, {}, features=("light", "temperature", "vib"))
    assert [feature.name for feature in found.upload.features] == ["light", "temperature", "vib"]
    assert "lux is now light, vibration is now vib" in found.notes[0]
    assert opened(found.upload).classify(old_models.ROWS).labels == old_models.EXPECTED


def test_a_model_in_a_script_stays_as_it_is() -> None:
    model = old_models.of_table(old_models.forest(n_jobs=2))
    adopt({"": model}, {})
    assert model.n_jobs == 2


def test_files_of_another_model_in_the_folder_are_left_out() -> None:
    other = StandardScaler().fit(np.ones((4, 5)) * [[1], [2], [3], [4]])
    encoder = LabelEncoder().fit(["a", "b", "c"])
    given = {"model.pkl": old_models.of_table(old_models.forest()), "scaler.pkl": other, "encoder.pkl": encoder}
    with pytest.raises(InvalidInput, match=r"scaler\.pkl"):
        adopt({name: given[name] for name in ("model.pkl", "scaler.pkl")}, {})
    assert adopt(given, {}, optional=True).upload.pipeline is given["model.pkl"]


class Odd(LogisticRegression):
    """A fitted model whose answers are not probabilities."""

    answer = np.array([[0.4, 0.4, 0.2]])

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return np.repeat(self.answer, len(rows), axis=0)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([[0.4, 0.4, 0.2]], "the shape"),
        ([[np.nan, 1.0]], "not finite"),
        ([[0.9, 0.9]], "do not add up to 1"),
        ([[-1.0, 2.0]], "negative"),
        ([[1.0]], "the shape"),
    ],
)
def test_answers_that_are_not_probabilities_are_refused(answer: list[list[float]], why: str) -> None:
    model = old_models.of_table(Odd(max_iter=5_000))
    model.answer = np.array(answer)
    with pytest.raises(InvalidInput, match=why):
        adopt({"": model}, {})


def test_a_model_is_saved_with_golden_rows_or_not_at_all() -> None:
    """An upload whose rows the model cannot answer is not registered without golden rows."""
    table = old_models.data()
    model = RandomForestClassifier(3).fit(table.rows, table.labels)
    features = tuple(Feature(name) for name in FEATURES)
    narrow = Upload(model, features[:2], ("fault", "normal"))
    with pytest.raises(InvalidInput, match="does not answer"):
        pack(narrow)
    with pytest.raises(InvalidInput, match="no classes"):
        pack(Upload(model, features, ()))
    files = pack(Upload(model, features, ("fault", "normal")))
    assert golden.FILE in files
    empty = {**files, golden.FILE: b'{"rows":[],"labels":[],"probabilities":null}'}
    saved = manifest_of(Upload(model, features, ("fault", "normal")), "m", empty, "2026-01-01T00:00:00.000Z")
    with pytest.raises(ModelRefused, match="has no rows"):
        open_classifier(saved, "", empty)
    del empty[golden.FILE]
    with pytest.raises(ModelRefused, match="unknown whether it answers"):
        open_classifier(saved, "", empty)


def test_a_model_that_was_registered_with_booleans_keeps_their_names() -> None:
    """Its classes are "false" and "true" in its manifest; for new models, true is "1"."""
    model = old_models.forest().fit(old_models.data().table, old_models.data().labels == "fault")
    upload = Upload(model, tuple(map(Feature, FEATURES)), ("false", "true"), {}, probe=old_models.ROWS)
    assert opened(upload).classify(old_models.ROWS).labels == ["false", "true"]


def test_a_step_needed_only_for_training_is_left_out() -> None:
    table = old_models.data()
    pipeline = make_pipeline(StandardScaler(), old_models.linear()).fit(table.table, table.labels)
    assert adopt({"": pipeline}, {}).upload.pipeline is pipeline
