"""The inspection of a pickle lists what a load would call, or says that this is unknown; it never calls anything."""

from __future__ import annotations

import _compat_pickle
import io
import os
import pickle
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from registry.legacy.look import look
from registry.legacy.pickles.contents import contents
from registry.legacy.pickles.names import CHECKS, LISTED, USUAL
from registry.registry import Registry
from tests.attacks import pickle_files
from tests.attacks.pickle_files import REGION
from tests.brought_in import bring_in
from tests.onnx_models import ESTIMATORS, rows_and_labels
from zelador.errors import InvalidInput

LONG = bool(os.environ.get("TEST_ATTACKS"))
HOSTILE = pickle_files.hostile()
FURTHER = {
    "hist gradient boosting": HistGradientBoostingClassifier(max_iter=3),
    "gaussian process": GaussianProcessClassifier(),
    "isolation forest": IsolationForest(n_estimators=5),
    "k-nearest imputer": make_pipeline(KNNImputer(), LogisticRegression()),
    "grid": GridSearchCV(
        make_pipeline(SimpleImputer(), LogisticRegression()), {"logisticregression__C": [1, 10]}, cv=2
    ),
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_pickle_with_calls_that_no_model_needs_never_looks_harmless(name: str) -> None:
    """Dotted names, functions below usual modules, arrays that are pickles, states that change a class."""
    began = time.monotonic()
    found = contents(HOSTILE[name])
    assert found.unusual or found.trouble, found
    assert time.monotonic() - began < 60


def test_a_command_is_named_if_it_can_be_followed() -> None:
    for name in ("an array of objects", "zlib", "gzip", "bz2", "xz", "lzma", "a system call", "a partial"):
        assert any(each.endswith(".system") for each in contents(HOSTILE[name]).unusual), name


def every_way(model: Any) -> list[tuple[str, bytes]]:
    found = [(f"pickle {protocol}", pickle.dumps(model, protocol)) for protocol in range(6)]
    for protocol in (2, 3, 4, 5):
        for compress in (0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)) if protocol == 4 else (0,):
            file = io.BytesIO()
            joblib.dump(model, file, compress=compress, protocol=protocol)
            found.append((f"joblib {protocol}, {compress}", file.getvalue()))
    return found


def test_the_inspection_gives_no_false_alarm() -> None:
    """Every candidate, with both kinds of labels, by pickle and by joblib, plain and compressed, in each protocol."""
    for name, estimator in {**ESTIMATORS, **FURTHER}.items():
        for text in (True, False) if LONG else (True,):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows, labels = rows_and_labels(2, text)
                steps = [("imputer", SimpleImputer()), ("model", clone(estimator))]
                model = Pipeline(steps).fit(rows[:60], labels[:60])
            for way, data in every_way(model) if LONG else every_way(model)[3::5]:
                found = contents(data)
                assert (found.unusual, found.trouble) == ((), None), (name, way, found)


@pytest.mark.training
@pytest.mark.timeout(900)
@pytest.mark.skipif(not LONG, reason="takes minutes; TEST_ATTACKS=1")
def test_the_inspection_gives_no_false_alarm_for_pycaret() -> None:
    """Tests every candidate of PyCaret with its preprocessing, in a separate process."""
    code = """
import io, pickle, warnings; warnings.simplefilter("ignore")
import joblib, numpy as np, pandas as pd
from pycaret.classification import ClassificationExperiment
from registry.legacy.pickles.contents import contents
draw = np.random.default_rng(0)
data = pd.DataFrame({"lux": draw.normal(400, 50, 150), "temperature": draw.normal(50, 10, 150)})
data.loc[::17, "lux"] = np.nan
data["kind"] = draw.choice(["a", "b", "c"], 150)
data["target"] = np.where(data.temperature > 52, "yes", "no")
for options in ({}, {"normalize": True, "pca": True, "fix_imbalance": True, "remove_outliers": True}):
    made = ClassificationExperiment()
    made.setup(data, target="target", session_id=1, verbose=False, html=False, system_log=False, n_jobs=1, **options)
    for kind in made.models().index:
        if kind in ("xgboost", "catboost"):  # the allow-list of skops has no such models, so none is imported
            continue
        try:
            final = made.finalize_model(made.create_model(kind, verbose=False, cross_validation=False))
        except Exception as error:
            print("not made:", kind, error)
            continue
        for protocol in (2, 3, 4, 5):
            file = io.BytesIO()
            joblib.dump(final, file, protocol=protocol)
            for data_ in (pickle.dumps(final, protocol), file.getvalue()):
                found = contents(data_)
                assert (found.unusual, found.trouble) == ((), None), (kind, protocol, found)
print("looked")
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900, cwd=Path.cwd())
    assert "looked" in told.stdout, told.stdout + told.stderr[-3_000:]


def test_the_list_has_exact_names_that_no_old_protocol_translates() -> None:
    assert len(USUAL) == len(LISTED)
    assert set(CHECKS) <= USUAL
    for name in USUAL:
        module, _, qualname = name.rpartition(".")
        assert (module, qualname) not in _compat_pickle.NAME_MAPPING
    modules = {name.rpartition(".")[0] for name in USUAL}
    assert not modules & {"os", "subprocess", "sys", "shutil", "importlib", "pickle", "functools", "operator", "types"}


@pytest.mark.attack_long
def test_trust_does_not_load_a_pickle_that_could_not_be_followed(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path / "registry")
    for name, data in (
        ("nested", HOSTILE["a dtype with an object in its fields"]),
        ("behind", HOSTILE["something behind the end"]),
    ):
        (tmp_path / f"{name}.pkl").write_bytes(data)
        (found,) = look(tmp_path / f"{name}.pkl")
        with pytest.raises(InvalidInput, match=r"cannot be followed to its end .* --trust-anyway"):
            bring_in(found, registry, trust=True)
    bring_in(found, registry, trust=True, anyway=[tmp_path / "behind.pkl"], features=("lux",))
    assert list(registry.state.models) == ["behind"]


def test_a_load_gets_exactly_the_inspected_bytes(tmp_path: Path) -> None:
    """In a file that is compressed twice, the second layer would be decompressed only by the load."""
    (tmp_path / "twice.pkl").write_bytes(HOSTILE["twice compressed"])
    (found,) = look(tmp_path / "twice.pkl")
    assert "twice" in (found.contents.trouble or "")


@pytest.mark.parametrize("data", [b"\x80\x04" + b"N0" * 6_000_000 + b"N.", b"\x80\x04" + b"(" * 3_000_000 + b"."])
def test_a_long_pickle_ends(data: bytes) -> None:
    if not LONG:
        data = data[:2] + data[2:200_000]
    began = time.monotonic()
    assert contents(data).trouble
    assert time.monotonic() - began < 120


def test_deep_nesting_is_followed_without_recursion() -> None:
    deep = b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b"."
    assert contents(deep).trouble is None
    dtype = pickle_files.F8
    for _ in range(200):
        dtype = pickle_files.fields(b"K\x00", dtype)
    assert contents(b"\x80\x04" + dtype + b".").trouble is None


def test_values_that_grow_when_printed_are_not_printed() -> None:
    """A tuple that contains its predecessor twice, sixty levels deep, in each place where a message might print it."""
    doubled = b"\x80\x04N" + b"2\x86" * 60
    for rest in (b"\x85R.", b"."):
        contents(doubled + rest)
    kind = pickle_files.glob("numpy", "dtype") + doubled[2:] + b"\x89\x88\x87R."
    assert contents(b"\x80\x04" + kind).trouble
    chain = b"\x80\x04N" + b"\x85" * 300_000 + b"."
    assert contents(chain).trouble is None


def test_damage_anywhere_ends_in_a_verdict() -> None:
    whole = pickle_files.by_joblib()
    for at in range(0, len(whole), 11):
        contents(whole[:at] + bytes([at % 256]) + whole[at + 1 :])
        contents(whole[:at])
    assert contents(whole).trouble is None
    assert contents(whole + REGION).trouble


def test_arrays_of_many_kinds_are_skipped_exactly() -> None:
    kinds = ("f8", "f4", "i8", "u1", "?", "c16", "U7", "S3", "M8[ns]", ">f8", "V5", "i4,f8", "O")
    arrays = [np.zeros((3, 2), np.dtype(kind)) for kind in kinds]
    arrays += [np.asfortranarray(np.ones((4, 3))), np.float64(3.0).reshape(()), np.zeros((0, 3)), np.array(["x", None])]
    for way, data in every_way(arrays):
        found = contents(data)
        assert (found.unusual, found.trouble) == ((), None), (way, found)
