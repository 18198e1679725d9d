"""The six functions of the `registry` package keep their behavior for existing scripts."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelEncoder

from registry import delete_model, get_model_metadata, get_models_summary, list_models, load_model, save_model
from registry.errors import ModelRefused
from registry.model import golden
from registry.registry import Registry

X = np.array([[15.0, 14.0, 0.5], [10.0, 24.0, 0.1], [35.0, 44.0, 1.5], [9.0, 80.0, 2.5]])


class Mine(ClassifierMixin, BaseEstimator):
    """A type that is not on the allow-list."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, x):
        return np.repeat(self.classes_[0], len(x))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # without a setting it lives in ./.zelador/registry
    return tmp_path / ".zelador" / "registry"


def model(seed: int = 0) -> RandomForestClassifier:
    return RandomForestClassifier(5, random_state=seed).fit(X, [0, 0, 1, 1])


def test_saved_and_loaded_equal(folder: Path) -> None:
    saved = model()
    path = save_model(saved, "rf_v1", {"accuracy": 0.92, "description": "primeiro"})
    assert Path(path).is_file()
    assert folder in Path(path).parents
    assert (load_model("rf_v1").predict(X) == saved.predict(X)).all()
    assert np.allclose(load_model("rf_v1").predict_proba(X), saved.predict_proba(X))


@pytest.mark.parametrize("rows", [None, X])
def test_a_model_that_answers_differently_than_when_it_was_saved_is_refused(
    folder: Path, rows: np.ndarray | None
) -> None:
    path = Path(save_model(model(), "a", rows=rows)).with_name(golden.FILE)
    kept = json.loads(path.read_bytes())
    assert len(kept["rows"]) == (golden.MAX_SAVED if rows is None else len(X))
    classifier = Registry.open(folder).load("a")
    other = {"0": "1", "1": "0"}
    with pytest.raises(ModelRefused, match="golden rows"):
        golden.check(classifier, json.dumps({**kept, "labels": [other[label] for label in kept["labels"]]}).encode())


@pytest.mark.parametrize("rows", [X[:, :2], X[0], [["a", "b", "c"]], "rows"])
def test_rows_that_do_not_fit_the_model_are_a_value_error(rows: object) -> None:
    with pytest.raises(ValueError, match="a column for each of the 3 features"):
        save_model(model(), "a", rows=rows)
    assert list_models() == {}


def test_the_list_holds_every_saved_name_with_its_entry() -> None:
    for name in ("a", "b-1", "c_2.x"):
        save_model(model(), name)
    found = list_models()
    assert set(found) == {"a", "b-1", "c_2.x"}
    assert all(set(entry) == {"path", "metadata", "saved_at"} for entry in found.values())


def test_metadata_is_optional_and_kept() -> None:
    save_model(model(), "bare")
    save_model(model(), "told", {"accuracy": 0.9, "anything": {"else": [1]}})
    assert get_model_metadata("told")["metadata"]["anything"] == {"else": [1]}
    assert get_model_metadata("bare")["saved_at"]
    with pytest.raises(KeyError):
        get_model_metadata("nobody")


def test_the_summary_is_flat() -> None:
    save_model(model(), "a", {"accuracy": 0.9})
    (row,) = get_models_summary()
    assert (row["name"], row["accuracy"], row["model_type"]) == ("a", 0.9, "RandomForestClassifier")
    assert row["saved_at"]


def test_a_duplicate_name_is_a_value_error() -> None:
    save_model(model(), "a")
    with pytest.raises(ValueError, match="already"):
        save_model(model(), "a")


@pytest.mark.parametrize("name", ["", "../x", "a/b"])
def test_a_refused_name_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        save_model(model(), name)


def test_an_unknown_name_or_a_lost_artifact_is_a_file_not_found_error() -> None:
    with pytest.raises(FileNotFoundError, match="nobody"):
        load_model("nobody")
    with pytest.raises(FileNotFoundError):
        delete_model("nobody")
    Path(save_model(model(), "a")).unlink()
    with pytest.raises(FileNotFoundError, match="restore"):
        load_model("a")


def test_delete_removes_entry_and_artifact() -> None:
    path = Path(save_model(model(), "a"))
    delete_model("a")
    assert list_models() == {}
    assert not path.exists()


def test_a_damaged_index_does_not_raise(folder: Path) -> None:
    save_model(model(), "a")
    (folder / "registry.json").write_text("not json")
    assert list(list_models()) == ["a"]


def test_concurrent_saves_all_register() -> None:
    threads = [threading.Thread(target=save_model, args=(model(i), f"m{i}")) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(list_models()) == {f"m{i}" for i in range(8)}


def test_a_type_outside_the_allow_list_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"test_functions\.Mine.*not on the allow-list"):
        save_model(Mine().fit(X, [0, 0, 1, 1]), "mine")
    assert list_models() == {}


def test_an_object_that_is_not_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="no model"):
        save_model({"a": 1}, "dict")


def test_text_classes_are_kept() -> None:
    save_model(LogisticRegression().fit(X, ["no", "no", "yes", "yes"]), "lr")
    assert set(load_model("lr").predict(X)) <= {"no", "yes"}
    assert get_model_metadata("lr")["metadata"]["classes"] == ["no", "yes"]


def test_a_model_with_its_label_encoder_predicts_labels() -> None:
    encoder = LabelEncoder().fit(["no", "yes"])
    save_model({"model": LogisticRegression().fit(X, [0, 0, 1, 1]), "encoder": encoder}, "lr")
    assert set(load_model("lr").predict(X)) == {"no", "yes"}
