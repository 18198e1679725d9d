"""`zelador models import` and `export`: folders of pickles, bundles between registries, and refused files."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from registry.registry import Registry
from tests import old_models
from tests.command import zelador
from tests.small_models import upload

X = np.array([[15.0, 14.0, 0.5], [10.0, 24.0, 0.1], [35.0, 44.0, 1.5], [9.0, 80.0, 2.5]])
Y = ["no", "no", "yes", "yes"]
COLUMNS = ("--features", "lux, temperature, vibration")


class Trap:
    """A malicious pickle: loading it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)  # without a setting it lives in ./.zelador/registry
    return Registry.open(tmp_path / ".zelador" / "registry")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder of pickles with a registry.json, and a malicious file in it."""
    folder = tmp_path / "modelos_salvos"
    folder.mkdir()
    with (folder / "rf_v1.pkl").open("wb") as file:
        pickle.dump(RandomForestClassifier(5, random_state=1).fit(X, Y), file)
    joblib.dump(LogisticRegression().fit(X, Y), folder / "loose.joblib", compress=3)
    with (folder / "trap.pkl").open("wb") as file:
        pickle.dump(Trap(tmp_path / "sprung"), file)
    told = {"accuracy": 0.92, "model_type": "RandomForest", "description": "Descrição"}
    index = {"rf_v1": {"path": "modelos_salvos/rf_v1.pkl", "metadata": told, "saved_at": "2025-10-29T19:39:21.040921"}}
    (folder / "registry.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def test_what_a_pickle_would_call_is_shown_and_nothing_runs(old: Path, registry: Registry, tmp_path: Path) -> None:
    shown = zelador("models", "import", "modelos_salvos")
    assert shown.code == 2
    assert "--trust" in shown.err
    (row,) = [line for line in shown.out.splitlines() if line.strip().startswith("trap")]
    assert "posix.system" in row
    found = {each["name"]: each for each in zelador("models", "import", "modelos_salvos", "--json").json}
    assert found["trap"]["unusual"] == ["posix.system"]
    assert found["rf_v1"]["unusual"] == []
    assert found["rf_v1"]["metadata"]["accuracy"] == 0.92
    assert not (tmp_path / "sprung").exists()
    registry.sync()
    assert dict(registry.state.models) == {}


def test_with_trust_models_are_imported_and_the_rest_is_reported(old: Path, registry: Registry) -> None:
    (old / "trap.pkl").write_bytes(pickle.dumps({"no": "model"}))
    done = zelador("models", "import", "modelos_salvos", "--trust", *COLUMNS, "--why", "the old plant", "--json")
    assert done.code == 2
    assert "trap" in done.err
    assert sorted(done.json["imported"]) == ["loose", "rf_v1"]
    assert list(done.json["left"]) == ["trap"]
    registry.sync()
    kept = registry.state.models["rf_v1"].metadata
    assert (kept["accuracy"], kept["description"]) == (0.92, "Descrição")
    assert kept["imported"]["saved_at"] == "2025-10-29T19:39:21.040921"
    assert registry.load("loose").classify(X).labels == Y
    again = zelador("models", "import", "modelos_salvos/loose.joblib", "--trust", *COLUMNS)
    assert (again.code, "already" in again.err) == (2, True)
    assert zelador("models", "import", "modelos_salvos/loose.joblib", "--trust", "--name", "again", *COLUMNS).code == 0
    assert zelador("models", "verify").code == 0


def test_a_model_without_column_names_needs_them(old: Path, registry: Registry) -> None:
    """If it were registered, it could not be used, and would block its name for the next try."""
    for columns, why in (((), "--features lux,temperature"), (("--features", "lux"), "fitted on 3")):
        refused = zelador("models", "import", "modelos_salvos/rf_v1.pkl", "--trust", *columns)
        assert (refused.code, why in refused.err) == (2, True)
    assert registry.sync().models == {}
    assert zelador("models", "import", "modelos_salvos/rf_v1.pkl", "--trust", *COLUMNS).code == 0
    registry.sync()
    assert registry.load("rf_v1").features == ("lux", "temperature", "vibration")


def test_files_beside_a_model_are_joined_or_reported(registry: Registry, tmp_path: Path) -> None:
    """A folder of model, scaler and encoder is one model; the files beside a single file are used only if named."""
    old_models.write_beside(tmp_path / "old")
    done = zelador("models", "import", "old", "--trust", *COLUMNS)
    assert done.code == 0, done.err
    assert "joined in this order: scaler.pkl (StandardScaler)" in done.out
    assert "classes 0, 1 are named fault, normal, as in label_encoder.pkl" in done.out
    assert "notes.txt (not a pickle)" in done.out
    registry.sync()
    assert registry.load("model").classify(old_models.ROWS).labels == old_models.EXPECTED
    alone = zelador("models", "import", "old/model.pkl", "--trust", *COLUMNS, "--name", "one")
    assert alone.code == 2
    assert "label_encoder.pkl, scaler.pkl in the same folder" in alone.err
    joined = ("--with", "old/scaler.pkl", "--with", "old/label_encoder.pkl")
    assert zelador("models", "import", "old/model.pkl", "--trust", *COLUMNS, "--name", "one", *joined).code == 0
    registry.sync()
    assert registry.load("one").classify(old_models.ROWS).labels == old_models.EXPECTED


def test_a_pickle_of_an_older_scikit_learn_that_fails_is_refused_with_the_reason(tmp_path: Path) -> None:
    old_models.write_older(tmp_path / "older.sav")
    refused = zelador("models", "import", "older.sav", "--trust")
    assert refused.code == 2
    assert "saved by scikit-learn 0.23.2, and this is" in refused.err
    assert "does not answer" in refused.err


def test_an_exported_model_can_be_imported_elsewhere(registry: Registry, tmp_path: Path) -> None:
    registry.save("first", upload(), by="test")
    registry.annotate("first", {"owner": "ana"}, by="test")
    assert zelador("models", "export", "first", "first.zip").code == 0
    there = zelador("models", "export", "first", "first.zip")
    assert (there.code, "already exists" in there.err) == (2, True)
    assert zelador("models", "export", "nobody", "x.zip").code == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == [".zelador", "first.zip"]

    other = tmp_path / "home"
    other.mkdir()
    (other / "home.json").write_text(json.dumps({"mqtt": 1, "redis": 2, "api": 3, "broker5": 4}))
    assert zelador("models", "import", "first.zip", "--home", "home").out.startswith("registered first")
    assert zelador("models", "import", "first.zip", "--home", "home", "--name", "second").code == 0
    found = Registry.open(other / "registry")
    assert set(found.state.models) == {"first", "second"}
    one, two = registry.load("first").classify(X), found.load("second").classify(X)
    assert (one.labels, one.probabilities.tolist()) == (two.labels, two.probabilities.tolist())
    assert zelador("models", "verify", "--home", "home").code == 0
    assert zelador("models", "import", "first.zip").code == 2  # the name is taken here


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model.skops": b"other"}, "digest"),
        ({"model.pkl": b"x"}, "not a file of a model"),
        ({"../../x.json": b"{}"}, "not a file of a model"),
        ({"manifest.json": None}, "manifest.json"),
    ],
)
def test_an_altered_file_is_refused(registry: Registry, tmp_path: Path, change: dict, said: str) -> None:
    registry.save("first", upload(), by="test")
    zelador("models", "export", "first", "first.zip")
    with zipfile.ZipFile("first.zip") as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    altered = io.BytesIO()
    with zipfile.ZipFile(altered, "w") as packed:
        for name, data in {**files, **change}.items():
            if data is not None:
                packed.writestr(name, data)
    (tmp_path / "altered.zip").write_bytes(altered.getvalue())
    refused = zelador("models", "import", "altered.zip", "--name", "second")
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    registry.sync()
    assert list(registry.state.models) == ["first"]


def test_a_path_without_models_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in ("nowhere", "empty"):
        refused = zelador("models", "import", path, "--trust")
        assert (refused.code, len(refused.err.splitlines())) == (2, 1)


def test_a_file_that_could_not_be_inspected_completely_must_be_named(old: Path, registry: Registry) -> None:
    """`--trust` applies to a whole folder, and one file in it may hide what it calls."""
    with (old / "loose.pkl").open("wb") as file:
        file.write(pickle.dumps(LogisticRegression().fit(X, Y)) + b"behind the end")
    (old / "trap.pkl").unlink()
    shown = zelador("models", "import", "modelos_salvos")
    assert "a help, not a proof" in shown.out
    told = zelador("models", "import", "modelos_salvos/loose.pkl", "--trust")
    assert told.code == 2
    assert "--trust-anyway modelos_salvos/loose.pkl" in told.err
    assert zelador("models", "import", "modelos_salvos", "--trust-anyway", "other.pkl").code == 2
    assert registry.sync().models == {}
    assert (
        zelador("models", "import", "modelos_salvos", "--trust-anyway", "modelos_salvos/loose.pkl", *COLUMNS).code == 0
    )
    assert list(registry.sync().models) == ["loose-pkl"]  # there is a loose.joblib too
