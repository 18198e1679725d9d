"""Old pickles: inspected without running them, loaded only when trusted, then stored as skops."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from registry.errors import TypeRefused
from registry.legacy.look import look
from registry.legacy.pickles.contents import contents
from registry.registry import Registry
from tests.brought_in import bring_in
from zelador.errors import InvalidInput, NotFound

X = np.array([[15.0, 14.0, 0.5], [10.0, 24.0, 0.1], [35.0, 44.0, 1.5], [9.0, 80.0, 2.5]])
Y = ["no", "no", "yes", "yes"]
FEATURES = ("lux", "temperature", "vibration")


class Trap:
    """A malicious pickle: loading it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry.open(tmp_path / "registry")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder of pickles: two models in registry.json, one that is not in it, and one whose file is missing."""
    folder = tmp_path / "modelos_salvos"
    folder.mkdir()
    with (folder / "rf_v1.pkl").open("wb") as file:
        pickle.dump(RandomForestClassifier(5, random_state=1).fit(X, Y), file)
    joblib.dump(LogisticRegression().fit(X, Y), folder / "modelo ação.joblib", compress=3)
    joblib.dump(LogisticRegression().fit(X, Y), folder / "loose.joblib")
    told = {"accuracy": 0.92, "model_type": "RandomForest", "description": "Descrição"}
    index = {
        "rf_v1": {"path": "modelos_salvos/rf_v1.pkl", "metadata": told, "saved_at": "2025-10-29T19:39:21.040921"},
        "modelo ação": {"path": "modelos_salvos/modelo ação.joblib", "metadata": {}, "saved_at": "2025-10-30T08:00:00"},
        "gone": {"path": "../../etc/passwd", "metadata": {}, "saved_at": "2025-10-30T08:00:00"},
    }
    (folder / "registry.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def test_a_folder_with_an_index_is_imported_with_its_metadata(old: Path, registry: Registry) -> None:
    found = {one.name: one for one in look(old)}
    assert set(found) == {"rf_v1", "modelo_a__o", "gone", "loose"}
    assert "is not there" in found["gone"].trouble
    for name in ("rf_v1", "modelo_a__o", "loose"):
        assert (found[name].contents.unusual, found[name].contents.trouble) == ((), None)
        assert any(kind.startswith("sklearn.") for kind in found[name].contents.names)
        bring_in(found[name], registry, trust=True, features=FEATURES)
        assert registry.load(name).classify(X).labels == Y
    kept = registry.state.model("rf_v1").metadata
    assert (kept["accuracy"], kept["model_type"], kept["description"]) == (0.92, "RandomForest", "Descrição")
    assert kept["imported"]["saved_at"] == "2025-10-29T19:39:21.040921"
    assert registry.state.model("modelo_a__o").metadata["original_name"] == "modelo ação"
    assert set(registry.manifest("rf_v1").files) == {"model.skops", "golden.json"}  # no pickle is kept
    with pytest.raises(InvalidInput, match="is not there"):
        bring_in(found["gone"], registry, trust=True)


@pytest.mark.parametrize("index", [None, "{ damaged", "[1, 2]", '{"x": 3}'])
def test_without_an_index_or_with_a_damaged_one(old: Path, index: str | None) -> None:
    (old / "registry.json").unlink()
    if index is not None:
        (old / "registry.json").write_text(index)
    assert {one.name for one in look(old)} == {"rf_v1", "modelo_a__o", "loose"}
    assert [one.name for one in look(old / "loose.joblib")] == ["loose"]
    with pytest.raises(NotFound):
        look(old / "nothing")


def test_inspecting_runs_nothing_and_lists_what_a_load_would_call(tmp_path: Path, registry: Registry) -> None:
    made = tmp_path / "made"
    (tmp_path / "trap.pkl").write_bytes(pickle.dumps({"model": Trap(made)}))
    joblib.dump(np.array([Trap(made), 1], dtype=object), tmp_path / "trap.joblib", compress=("gzip", 3))
    for name in ("trap.pkl", "trap.joblib"):
        (found,) = look(tmp_path / name)
        assert found.contents.unusual == (f"{os.system.__module__}.system",)
        with pytest.raises(InvalidInput, match=r"system.*only if you trust"):
            bring_in(found, registry, trust=False)
    assert not made.exists()
    assert registry.state.models == {}


def test_only_the_inspected_bytes_are_loaded(old: Path, tmp_path: Path, registry: Registry) -> None:
    (found,) = look(old / "loose.joblib")
    (old / "loose.joblib").write_bytes(pickle.dumps(Trap(tmp_path / "made")))
    with pytest.raises(InvalidInput, match="has changed since"):
        bring_in(found, registry, trust=True)
    assert not (tmp_path / "made").exists()


def test_files_that_are_not_models_or_pickles_are_reported(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "dict.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(TypeRefused, match=r"dict\.pkl: \['a'\] \(int\) .* holds no model"):
        bring_in(look(tmp_path / "dict.pkl")[0], registry, trust=True)
    (tmp_path / "text.pkl").write_text("nothing of the kind")
    (found,) = look(tmp_path / "text.pkl")
    assert found.contents.trouble is not None
    with pytest.raises(InvalidInput, match="--trust-anyway"):
        bring_in(found, registry, trust=True)
    with pytest.raises(InvalidInput, match="cannot be loaded"):
        bring_in(found, registry, trust=True, anyway=[tmp_path / "text.pkl"])


def test_a_strangers_file_never_breaks_the_inspection() -> None:
    whole = pickle.dumps(LogisticRegression().fit(X, Y))
    for cut in range(0, len(whole), 37):
        contents(whole[:cut] + bytes([cut % 256]) + whole[cut + 1 :])
    hidden = b"cbuiltins\nexec\n(S'1'\ntR."  # protocol 0, and by the older way of naming
    assert contents(hidden).unusual == ("builtins.exec",)


@pytest.mark.training
def test_a_pycaret_pipeline_is_saved_without_pycaret(tmp_path: Path, registry: Registry) -> None:
    """Runs in a separate process, because importing PyCaret changes global state."""
    import subprocess
    import sys

    code = f"""
import warnings; warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from pycaret.classification import ClassificationExperiment
from registry.functions import upload_of
from registry.legacy.load import converted
from registry.legacy.look import look
from registry.registry import Registry
from pathlib import Path
draw = np.random.default_rng(0)
data = pd.DataFrame({{"lux": draw.normal(400, 50, 200), "temperature": draw.normal(50, 10, 200)}})
data["target"] = np.where(data.temperature > 52, "yes", "no")
made = ClassificationExperiment()
made.setup(data, target="target", session_id=1, verbose=False, html=False, system_log=False, n_jobs=1)
registry = Registry.open("{tmp_path}/registry")
for kind in ("rf", "ridge"):
    final = made.finalize_model(made.create_model(kind, verbose=False, cross_validation=False))
    made.save_model(final, "{tmp_path}/" + kind, model_only=False, verbose=False)
    registry.save("direct-" + kind, upload_of(final), by="me")
    (found,) = look(Path("{tmp_path}/" + kind + ".pkl"))
    incoming = registry.admit(converted(found, trust=True), 1 << 30, True)
    registry.add(found.name, incoming.files, incoming.manifest, by="me")
    print(kind, *final.predict(data.drop(columns="target")[:50]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    draw = np.random.default_rng(0)
    rows = np.column_stack([draw.normal(400, 50, 200), draw.normal(50, 10, 200)])[:50]
    for kind, *expected in (line.split() for line in done.stdout.splitlines() if line.split()[0] in ("rf", "ridge")):
        assert set(expected) == {"no", "yes"}
        for name in (kind, f"direct-{kind}"):
            classifier = registry.load(name)
            assert (classifier.features, classifier.classes) == (("lux", "temperature"), ("no", "yes"))
            assert classifier.classify(rows).labels == expected
    assert len(registry.sync().models) == 4
