"""Hostile archives: small, with a valid outer layout, and harmful inside."""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import skops.io
from onnx import TensorProto, helper, numpy_helper
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KDTree, KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from registry.bundle import bundle
from registry.model import golden, manifest
from registry.model.manifest import Feature, Manifest
from trainer.candidate.compile import compile_pipeline

MIB = 1_048_576
FEATURES = ("lux", "temperature", "vibration")
ROWS = np.random.RandomState(0).rand(60, 3)
LABELS = (ROWS[:, 0] > 0.5).astype(int)
ONE_ROW = json.dumps({"rows": [[1, 1, 1]], "labels": ["0"], "probabilities": [[0, 0]]}).encode()
NO_ROWS = b'{"rows":[],"labels":[],"probabilities":null}'
N, A = helper.make_node, numpy_helper.from_array


def packed(
    skops_bytes: bytes | None = None,
    onnx_bytes: bytes | None = None,
    rows: bytes = ONE_ROW,
    classes: tuple[str, ...] = ("0", "1"),
) -> bytes:
    """An archive whose manifest agrees with all of its files."""
    plain = DummyClassifier().fit([[0, 0, 0], [1, 1, 1]], [0, 1])
    files = {"model.skops": skops_bytes or skops.io.dumps(plain), golden.FILE: rows}
    if onnx_bytes is not None:
        files["model.onnx"] = onnx_bytes
    served_by = "onnx" if onnx_bytes is not None else "pipeline"
    described = {path: manifest.describe(data) for path, data in sorted(files.items())}
    features = tuple(Feature(name) for name in FEATURES)
    facts: dict[str, Any] = {"has_probabilities": True}
    saved = Manifest(1, "m", features, classes, served_by, "2026-01-01T00:00:00.000Z", facts, described)
    return bundle.pack(saved, files)


def honest_rows(estimator: Any) -> bytes:
    """The golden rows of an estimator before it was altered."""
    rows = ROWS[:5]
    shares = estimator.predict_proba(rows).tolist() if hasattr(estimator, "predict_proba") else None
    labels = [str(label) for label in estimator.predict(rows).tolist()]
    return json.dumps({"rows": rows.tolist(), "labels": labels, "probabilities": shares}).encode()


def altered(estimator: Any, alter: Callable[[Any], object]) -> bytes:
    """The estimator as an archive, altered after its golden rows were made."""
    estimator.fit(ROWS, LABELS)
    rows = honest_rows(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = alter(estimator)
        return packed(data if isinstance(data, bytes) else skops.io.dumps(estimator), rows=rows)


def members(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """A skops file with its members changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    return buffer.getvalue()


def arrays(data: bytes, change: Callable[[Any], object]) -> bytes:
    """A skops file with its arrays changed in place; `change` gives another array, or None."""

    def changed(name: str, content: bytes) -> bytes:
        if not name.endswith(".npy"):
            return content
        array = np.load(io.BytesIO(content)).copy()
        other = change(array)
        buffer = io.BytesIO()
        np.save(buffer, array if other is None else other)
        return buffer.getvalue()

    return members(data, changed)


def node(field: str, value: int, index: int = 0) -> Callable[[Any], bytes]:
    """Sets a field of a node in every tree of an estimator."""

    def alter(estimator: Any) -> bytes:
        def change(array: Any) -> None:
            if array.dtype.names and field in array.dtype.names:
                array[field][index] = value

        return arrays(skops.io.dumps(estimator), change)

    return alter


def number(name: str, value: int) -> Callable[[Any], bytes]:
    """Sets a number in schema.json."""
    pattern = re.compile(rb'("%s": \{[^}]*?"content": ")\d+' % name.encode())

    def change(member: str, content: bytes) -> bytes:
        return pattern.sub(rb"\g<1>%d" % value, content) if member == "schema.json" else content

    return lambda estimator: members(skops.io.dumps(estimator), change)


def attribute(name: str, value: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda estimator: setattr(estimator, name, value(estimator))


def header_only(estimator: Any) -> bytes:
    """Arrays that claim to have 2^40 numbers, and have none."""
    said = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + said.ljust(117) + b"\n"
    return members(skops.io.dumps(estimator), lambda name, content: header if name.endswith(".npy") else content)


def sparse_with_bad_indices(estimator: Any) -> None:
    estimator.sparsify()
    estimator.coef_.indices[:] = 2**30


def tree_of_points(field: str, value: int) -> Callable[[Any], bytes]:
    """Alters the k-d tree: `indices`, or a field of its nodes."""

    def alter(estimator: Any) -> bytes:
        def change(array: Any) -> None:
            if field == "indices" and array.dtype == np.int64 and len(array) == len(ROWS) and array.max() > 1:
                array[:] = value
            elif array.dtype.names and field in array.dtype.names:
                array[field][:] = value

        return arrays(skops.io.dumps(estimator), change)

    return alter


def two_steps(estimator: Any) -> None:
    estimator.steps[0][1].cluster_centers_ = estimator.steps[0][1].cluster_centers_[:, :1].copy()


def columns_more(estimator: Any) -> None:
    estimator.estimators_ = np.repeat(estimator.estimators_, 50, axis=1)


def stage_features(estimator: Any) -> None:
    for tree in estimator.estimators_[1:]:
        tree.n_features_in_ = 10


def tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=3, random_state=0)


def points() -> KNeighborsClassifier:
    return KNeighborsClassifier(3, algorithm="kd_tree", leaf_size=5)


ALTERED: dict[str, tuple[Callable[[], BaseEstimator], Callable[[Any], object]]] = {
    "left child far away": (tree, node("left_child", 2**40)),
    "right child far away": (tree, node("right_child", 2**40)),
    "left child below zero": (tree, node("left_child", -7)),
    "child that leads back": (tree, node("left_child", 0)),
    "feature far away": (tree, node("feature", 2**40)),
    "feature below zero": (tree, node("feature", -5)),
    "no width": (tree, lambda it: delattr(it, "n_features_in_")),
    "another width": (tree, attribute("n_features_in_", lambda it: 1)),
    "a width that is not a number": (tree, attribute("n_features_in_", lambda it: 3.0)),
    "a check of its own": (tree, attribute("_validate_X_predict", lambda it: np.fabs)),
    "forest: feature far away": (lambda: RandomForestClassifier(4, random_state=0), node("feature", 2**33)),
    "forest: child far away": (lambda: RandomForestClassifier(4, random_state=0), node("left_child", 2**33)),
    "boosting: child far away": (lambda: GradientBoostingClassifier(n_estimators=3), node("right_child", 2**33)),
    "boosting: more columns than classes": (lambda: GradientBoostingClassifier(n_estimators=3), columns_more),
    "histogram: child far away": (lambda: HistGradientBoostingClassifier(max_iter=2), node("left", 2**31)),
    "histogram: feature far away": (lambda: HistGradientBoostingClassifier(max_iter=2), node("feature_idx", 2**40)),
    "histogram: set far away": (
        lambda: HistGradientBoostingClassifier(max_iter=2),
        lambda it: arrays(node("bitset_idx", 2**31)(it), lambda a: _categorical(a)),
    ),
    "points: indices far away": (points, tree_of_points("indices", 2**40)),
    "points: nodes that end far away": (points, tree_of_points("idx_end", 2**40)),
    "points: nodes without leaves": (points, tree_of_points("is_leaf", 0)),
    "points: classes that are not there": (
        lambda: KNeighborsClassifier(3, algorithm="brute"),
        attribute("_y", lambda it: np.full(len(ROWS), 2**40)),
    ),
    "points: fewer classes than points": (
        lambda: KNeighborsClassifier(3, algorithm="brute"),
        attribute("_y", lambda it: it._y[:2]),
    ),
    "points: a tree out of place": (LogisticRegression, attribute("extra", lambda it: [KDTree(ROWS)])),
    "a tree out of place": (LogisticRegression, attribute("extra", lambda it: tree().fit(ROWS, LABELS).tree_)),
    "vectors: fewer coefficients": (SVC, attribute("_dual_coef_", lambda it: it._dual_coef_[:, :1].copy())),
    "vectors: fewer columns": (SVC, attribute("support_vectors_", lambda it: it.support_vectors_[:, :1].copy())),
    "vectors: more than there are": (SVC, attribute("_n_support", lambda it: np.array([2**30, 1], np.int32))),
    "vectors: no intercept": (SVC, attribute("_intercept_", lambda it: np.empty(0))),
    "sparse indices far away": (LogisticRegression, sparse_with_bad_indices),
    "clusters with fewer columns": (lambda: make_pipeline(KMeans(2, n_init=1), LogisticRegression()), two_steps),
    "arrays without numbers": (LogisticRegression, header_only),
    "random numbers behind their end": (
        lambda: DummyClassifier(strategy="stratified", random_state=np.random.RandomState(0)),
        number("pos", 9_999_999),
    ),
}


def _categorical(array: Any) -> None:
    if array.dtype.names and "is_categorical" in array.dtype.names:
        array["is_categorical"][0] = 1


def schema(megabytes: int) -> bytes:
    """A schema.json that consists of spaces."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
        target.open("schema.json", "w") as member,
    ):
        for _ in range(megabytes):
            member.write(b" " * MIB)
        member.write(b"{}")
    return buffer.getvalue()


def nested(depth: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("schema.json", '{"content":' * depth + "{}" + "}" * depth)
    return buffer.getvalue()


def many_members(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for index in range(count):
            target.writestr(f"{index}.npy", b"")
    return buffer.getvalue()


def packed_by(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        target.writestr("schema.json", "{}")
    return buffer.getvalue()


def attribute_of_zeros(megabytes: int) -> bytes:
    estimator = DummyClassifier().fit([[0, 0, 0], [1, 1, 1]], [0, 1])
    estimator.weight = np.zeros(megabytes * MIB, dtype=np.uint8)
    return skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=1)


def _graph(nodes: list[Any], tensors: list[Any], width: int = 2) -> bytes:
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, width]),
        ],
        tensors,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


ROW = [
    N("ReduceMax", ["x"], ["m"], axes=[1], keepdims=0),
    N("Mul", ["m", "z"], ["zero"]),
    N("Cast", ["zero"], ["label"], to=TensorProto.INT64),
    N("Unsqueeze", ["zero", "one"], ["col"]),
    N("Concat", ["col", "col"], ["p"], axis=1),
]
BASE = [A(np.array(0, np.float32), "z"), A(np.array([1], np.int64), "one")]


def constant(numbers: int) -> bytes:
    """A graph that fills memory with a constant when it is loaded."""
    nodes = [
        N("ConstantOfShape", ["sh"], ["b"]),
        N("ReduceSum", ["b"], ["s"], keepdims=0),
        N("Mul", ["s", "z"], ["t"]),
        N("Add", ["p", "t"], ["probabilities"]),
    ]
    return _graph(ROW + nodes, [*BASE, A(np.array([numbers], np.int64), "sh")])


def loop(rounds: int = 2**62) -> bytes:
    """A graph that runs forever."""
    scalar = helper.make_tensor_value_info
    body = helper.make_graph(
        [N("Identity", ["c"], ["c2"]), N("Add", ["v", "v"], ["v2"])],
        "b",
        [scalar("it", TensorProto.INT64, []), scalar("c", TensorProto.BOOL, []), scalar("v", TensorProto.FLOAT, [])],
        [scalar("c2", TensorProto.BOOL, []), scalar("v2", TensorProto.FLOAT, [])],
    )
    nodes = [
        N("ReduceMax", ["x"], ["mx"], keepdims=0),
        N("Mul", ["mx", "z"], ["v0"]),
        N("Loop", ["M", "tr", "v0"], ["vf"], body=body),
        N("Add", ["p", "vf"], ["probabilities"]),
    ]
    return _graph(ROW + nodes, [*BASE, A(np.array(rounds, np.int64), "M"), A(np.array(True), "tr")])


def plain() -> tuple[bytes, bytes]:
    """A harmless tree as our converters write it, and its golden rows."""
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(ROWS, LABELS.astype(str))
    compiled, trouble = compile_pipeline(Pipeline([("model", tree)]), ROWS.shape[1])
    assert compiled is not None, trouble
    return compiled, honest_rows(tree)


def leak(path: str, count: int) -> bytes:
    """A graph whose probabilities are the bytes of a file below the working directory."""
    nodes = [
        N("Cast", ["w"], ["f"], to=TensorProto.FLOAT),
        N("Unsqueeze", ["f", "nil"], ["r"]),
        N("Add", ["col", "r"], ["probabilities"]),
    ]
    model = onnx.load_from_string(_graph(ROW + nodes, [*BASE, A(np.array([0], np.int64), "nil")], count))
    values = TensorProto()
    values.name, values.data_type, values.data_location = "w", TensorProto.UINT8, TensorProto.EXTERNAL
    values.dims.append(count)
    for key, value in (("location", path), ("offset", "0"), ("length", str(count))):
        entry = values.external_data.add()
        entry.key, entry.value = key, value
    sparse = onnx.SparseTensorProto()
    sparse.values.CopyFrom(values)
    sparse.indices.CopyFrom(A(np.arange(count, dtype=np.int64), "i"))
    sparse.dims.append(count)
    model.graph.sparse_initializer.append(sparse)
    return bytes(model.SerializeToString())
