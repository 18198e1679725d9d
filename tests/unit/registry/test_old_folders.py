"""A folder of old models: which files are looked at, what they are called, and what belongs to which model."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler

from registry.cage.convert import convert, versions_in
from registry.cage.wire import Convert
from registry.errors import TypeRefused
from registry.legacy.beside import beside
from registry.legacy.look import look, look_at
from registry.legacy.names_file import names_in
from registry.legacy.naming import names_of, safe
from registry.legacy.pickles.contents import contents, unpacked
from registry.names import NAME
from zelador.errors import InvalidInput

X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 4.0]])
MODEL = LogisticRegression().fit(X, [0, 0, 1, 1])
SCALER = StandardScaler().fit(X)
ENCODER = LabelEncoder().fit(["a", "b"])


def write(folder: Path, **objects: object) -> None:
    """Writes a file for each object; `__` in a name stands for a dot, `___` for a folder."""
    for name, what in objects.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(what, path)


def joined(folder: Path) -> dict[str, set[str]]:
    return {found.name: {each.path.name for each in found.beside} for found in look(folder)}


@pytest.mark.parametrize(
    "ending", ["pkl", "PKL", "pickle", "pk", "p", "joblib", "sav", "model", "mdl", "bin", "dat", "bak", "1"]
)
def test_a_pickle_of_any_ending_is_looked_at(tmp_path: Path, ending: str) -> None:
    """A file such as finalized_model.sav is not skipped silently."""
    (tmp_path / f"final.{ending}").write_bytes(pickle.dumps(MODEL))
    (found,) = look(tmp_path)
    assert (found.name, found.contents.unusual, found.contents.trouble) == ("final", (), None)


def test_compressed_pickles_are_looked_at_and_named_without_both_endings(tmp_path: Path) -> None:
    joblib.dump(MODEL, tmp_path / "one.joblib.z", compress=("zlib", 3))
    (tmp_path / "two.pkl.gz").write_bytes(gzip.compress(pickle.dumps(MODEL)))
    (tmp_path / "three.v2.sav").write_bytes(bz2.compress(pickle.dumps(MODEL)))
    (tmp_path / "data.csv.gz").write_bytes(gzip.compress(b"a,b"))
    looked = look_at(tmp_path)
    assert {found.name: found.contents.trouble for found in looked.found} == {
        "one": None,
        "two": None,
        "three.v2": None,
    }
    assert set(looked.passed_over) == {"data.csv.gz"}


def test_skipped_files_are_reported(tmp_path: Path) -> None:
    write(tmp_path, rf__pkl=MODEL)
    for name in ("net.h5", "graph.onnx", "data.csv", ".hidden.pkl", "registry.json"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.pkl").write_bytes(b"x")
    looked = look_at(tmp_path)
    assert [found.name for found in looked.found] == ["rf"]
    assert set(looked.passed_over) == {"net.h5", "graph.onnx", "data.csv"}
    assert "Keras" in looked.passed_over["net.h5"]


def test_files_with_the_same_name_are_named_by_their_path(tmp_path: Path) -> None:
    """Two runs of mlflow each have artifacts/model/model.pkl; the second was refused because its name was taken."""
    write(tmp_path, a1___artifacts___model___model__pkl=MODEL, b2___artifacts___model___model__pkl=MODEL)
    write(tmp_path, rf__pkl=MODEL, RF__joblib=MODEL, alone__pkl=MODEL)
    names = {found.name for found in look(tmp_path)}
    assert names == {"a1-model", "b2-model", "rf-pkl", "RF-joblib", "alone"}


def test_names_are_valid_and_different_whatever_the_paths(tmp_path: Path) -> None:
    deep = [tmp_path / f"{letter * 80}" / "x" / "model.pkl" for letter in "abc"]
    odd = [tmp_path / "ä" / "m.pkl", tmp_path / "ö" / "m.pkl", tmp_path / "M.joblib"]
    found = [safe(name) for name in names_of(tmp_path, [*deep, *odd]).values()]
    assert len({name.casefold() for name in found}) == 6
    assert all(NAME.fullmatch(name) for name in found)
    assert "taken" not in {name.casefold() for name in names_of(tmp_path, [tmp_path / "taken.pkl"], ["TAKEN"]).values()}


@pytest.mark.parametrize(
    ("what", "role"),
    [
        (MODEL, "model"),
        (make_pipeline(StandardScaler(), LogisticRegression()).fit(X, [0, 0, 1, 1]), "model"),
        ((MODEL, SCALER), "model"),
        ({"model": MODEL, "scaler": SCALER}, "model"),
        (np.array([MODEL, SCALER], dtype=object), "model"),
        (SCALER, "beside"),
        (ENCODER, "beside"),
        (make_pipeline(SimpleImputer(), StandardScaler()).fit(X), "beside"),
        (ColumnTransformer([("s", StandardScaler(), [0])]).fit(X), "beside"),
        ({"scaler": SCALER, "encoder": ENCODER}, "beside"),
        (["lux", "temperature"], "beside"),
        (np.array(["lux", "temperature"]), "beside"),
        ({"no": "model"}, "model"),
        ({"a": 1}, "model"),
        (0.5, "model"),
    ],
)
@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
def test_files_beside_a_model_are_classified_without_loading(
    tmp_path: Path, what: object, role: str, dump: object
) -> None:
    with (tmp_path / "x.pkl").open("wb") as file:
        dump(what, file)  # type: ignore[operator]
    assert contents((tmp_path / "x.pkl").read_bytes()).role == role


def test_a_scaler_goes_to_the_model_of_its_folder_or_of_its_name(tmp_path: Path) -> None:
    write(tmp_path / "one", model__pkl=MODEL, scaler__pkl=SCALER, le__pkl=ENCODER)
    assert joined(tmp_path / "one") == {"model": {"scaler.pkl", "le.pkl"}}
    write(tmp_path / "named", rf_model__pkl=MODEL, rf_scaler__pkl=SCALER, lr__pkl=MODEL, lr_scaler__pkl=SCALER)
    assert joined(tmp_path / "named") == {"rf_model": {"rf_scaler.pkl"}, "lr": {"lr_scaler.pkl"}}
    write(tmp_path / "apart", models___m__pkl=MODEL, tools___scaler__pkl=SCALER)
    assert joined(tmp_path / "apart") == {"m": {"scaler.pkl"}}
    write(tmp_path / "two", a___m__pkl=MODEL, a___scaler__pkl=SCALER, b___k__pkl=MODEL)
    assert joined(tmp_path / "two") == {"m": {"scaler.pkl"}, "k": set()}
    write(tmp_path / "shared", rf__pkl=MODEL, lr__pkl=MODEL, scaler__pkl=SCALER)
    assert joined(tmp_path / "shared") == {"rf": {"scaler.pkl"}, "lr": {"scaler.pkl"}}
    assert all(found.optional for found in look(tmp_path / "shared"))
    assert not look(tmp_path / "one")[0].optional
    assert [found.beside for found in look(tmp_path / "shared", alone=True)] == [(), ()]


def test_a_scaler_without_a_model_is_reported(tmp_path: Path) -> None:
    write(tmp_path, a___m__pkl=MODEL, b___k__pkl=MODEL, c___scaler__pkl=SCALER)
    assert look_at(tmp_path).passed_over == {"c/scaler.pkl": "it holds no model, and there is none beside it"}
    assert beside(tmp_path, [], [tmp_path / "x"]) == {}


def test_the_neighbors_of_a_single_file_are_named_and_not_loaded(tmp_path: Path) -> None:
    write(tmp_path, model__pkl=MODEL, other__pkl=RandomForestClassifier(2).fit(X, [0, 0, 1, 1]), scaler__pkl=SCALER)
    (found,) = look(tmp_path / "model.pkl")
    assert ([path.name for path in found.neighbors], found.beside) == (["scaler.pkl"], ())
    assert look(tmp_path / "model.pkl", alone=True)[0].neighbors == ()
    (found,) = look(tmp_path / "model.pkl", [tmp_path / "scaler.pkl"])
    assert ([each.path.name for each in found.beside], found.neighbors) == (["scaler.pkl"], ())


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("columns.json", '["lux", "temperature"]', ["lux", "temperature"]),
        ("featureNames.json", '["lux"]', ["lux"]),
        ("features.txt", "lux\r\ntemperature\n\n", ["lux", "temperature"]),
        ("class_names.json", '{"0": "normal", "1": "fault"}', {0: "normal", 1: "fault"}),
        ("labels.json", '{"normal": 0, "fault": 1}', {"normal": 0, "fault": 1}),
        ("config.json", '{"feature_names": ["lux"], "accuracy": 0.9}', {"feature_names": ["lux"]}),
        ("config.json", '{"columns": ["lux"], "threshold": 0.3}', {"columns": ["lux"], "threshold": 0.3}),
        ("input_example.json", '{"columns": ["lux"], "data": [[1.0]]}', {"columns": ["lux"]}),
        ("columns.json", "[1, 2]", None),
        ("columns.json", "[", None),
        ("columns.json", "[" * 100_000, None),
        ("metrics.json", '{"accuracy": 0.9, "threshold": 0.3}', None),
        ("params.json", '["lux"]', None),
        ("requirements.txt", "scikit-learn\n", None),
        ("classes.json", '{"0": "normal"}', None),
        ("config.json", '{"columns": ["lux"], "best_thr": 0.3}', {"columns": ["lux"], "best_thr": 0.3}),
        ("labels.txt", "0 normal\n1 fault\n", {0: "normal", 1: "fault"}),
        ("labels.yaml", "0: normal\n1: 'bearing fault'\n", {0: "normal", 1: "bearing fault"}),
        ("classes.yml", "- normal\n- fault\n", ["normal", "fault"]),
        ("classes.csv", "code,label\n0,normal\n1,fault\n", {0: "normal", 1: "fault"}),
        ("feature_names.csv", "feature\nlux\ntemperature\n", ["lux", "temperature"]),
        ("columns.csv", "lux,temperature\n", ["lux", "temperature"]),
        ("features.csv", "lux,temperature\n410,48\n411,49\n", None),
        ("labels.csv", "0,normal\n1,normal\n2,fault\n", None),
        ("target.csv", "0.5\n0.7\n", None),
    ],
)
def test_names_of_columns_and_classes_are_read_from_text_files(
    tmp_path: Path, file: str, text: str, found: object
) -> None:
    (tmp_path / file).write_text(text)
    assert names_in(tmp_path / file) == found


def test_a_text_file_with_names_belongs_to_the_model_beside_it(tmp_path: Path) -> None:
    """A model that was fitted on an array takes the names in its columns.json."""
    write(tmp_path, press___model__pkl=MODEL, mill___model__pkl=MODEL)
    for file, text in (("columns.json", '["lux", "temperature"]'), ("classes.json", '{"0": "ok", "1": "fault"}')):
        (tmp_path / "press" / file).write_text(text)
    (tmp_path / "press" / "metrics.json").write_text('{"accuracy": 0.9}')
    looked = look_at(tmp_path)
    assert [(found.name, {each.path.name for each in found.beside}) for found in looked.found] == [
        ("mill-model", set()),
        ("press-model", {"columns.json", "classes.json"}),
    ]
    assert set(looked.passed_over) == {"press/metrics.json"}
    files = {each.path.name: each.path.read_bytes() for each in looked.found[1].files}
    made = convert(Convert(files, "press", b"{}", [], [], False))
    manifest = manifest_of_archive(made.archive)
    assert [feature["name"] for feature in manifest["features"]] == ["lux", "temperature"]
    assert manifest["classes"] == ["ok", "fault"]
    files["columns.json"] = b'{"columns": ["lux", "temperature"], "threshold": 0.3}'
    with pytest.raises(TypeRefused, match=r"threshold.*may change the answers"):
        convert(Convert(files, "press", b"{}", [], [], False))


@pytest.mark.parametrize("kind", [object, str])
def test_classes_that_numpy_saved_are_read(tmp_path: Path, kind: type) -> None:
    """`np.save("classes.npy", encoder.classes_)` is how many keep a label encoder; an array of objects is a pickle."""
    write(tmp_path, model__pkl=MODEL)
    np.save(tmp_path / "classes.npy", np.array(["ok", "fault"], dtype=kind))
    np.save(tmp_path / "rows.npy", X)
    looked = look_at(tmp_path)
    assert looked.passed_over == {"rows.npy": "not a pickle"}
    files = {
        each.path.name: unpacked(each.path.read_bytes()) if kind is object else each.path.read_bytes()
        for each in looked.found[0].files
    }
    made = convert(Convert(files, "press", b"{}", ["lux", "temperature"], [], False))
    assert manifest_of_archive(made.archive)["classes"] == ["ok", "fault"]


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<U4', 'fortran_order': False, 'shape': (100000000000,), }",
        b"{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1,), }",
        b"{'descr': '<U0', 'fortran_order': False, 'shape': (100000000000,), }",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
        b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }",
        b"{'descr': '", b"[" * 9_000, b"\xff" * 90, b"",
    ],
)  # fmt: skip
def test_a_hostile_array_is_not_read_as_a_list_of_names(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "classes.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"ok  fail")
    assert names_in(path) is None
    assert contents(path.read_bytes()).trouble


def test_a_long_line_is_not_read_as_a_name(tmp_path: Path) -> None:
    """Such a line is matched in linear time."""
    (tmp_path / "classes.yaml").write_text("0" + " " * 500_000 + ":x\n1: b\n")
    assert names_in(tmp_path / "classes.yaml") is None


@pytest.mark.parametrize("protocol", range(6))
def test_the_version_of_a_pickle_that_cannot_be_loaded_is_reported(protocol: int) -> None:
    """The load may fail before scikit-learn warns about the version."""
    pickled = pickle.dumps({"_sklearn_version": "0.24.2", "n": 1.5}, protocol=protocol)
    assert versions_in(pickled) == ["0.24.2"]
    assert versions_in(pickle.dumps(MODEL, protocol=protocol)) == [sklearn.__version__]
    with pytest.raises(InvalidInput, match=r"cannot be loaded.*saved by scikit-learn 0\.24\.2, and this is"):
        convert(Convert({"a": pickled + pickle.dumps(1)[:-3], "b": b"\x80\x04c" + pickled}, "a", b"{}", [], [], False))


def manifest_of_archive(archive: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        found: dict[str, Any] = json.loads(opened.read("manifest.json"))
    return found
