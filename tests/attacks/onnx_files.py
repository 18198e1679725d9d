"""Hostile ONNX files by name, each made from one that our converters wrote or by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

from tests.onnx_models import compiled

N, A = h.make_node, nh.from_array


def model(nodes: list[Any], inits: list[Any] = (), width: int = 2, **opsets: int) -> Any:  # type: ignore[assignment]
    """A graph with rows of three columns; `nodes` may produce anything besides a label and probabilities."""
    base = [A(np.array(0, np.float32), "z"), A(np.array([-1, 1], np.int64), "column")]
    head = [
        N("ReduceMax", ["x"], ["m"], axes=[1], keepdims=0),
        N("Mul", ["m", "z"], ["zero"]),
        N("Cast", ["zero"], ["label"], to=T.INT64),
        N("Reshape", ["zero", "column"], ["col"]),
    ]
    if not any("probabilities" in node.output for node in nodes):
        nodes = [*nodes, N("Concat", ["col", "col"], ["probabilities"], axis=1)]
    graph = h.make_graph(
        [*head, *nodes],
        "g",
        [h.make_tensor_value_info("x", T.FLOAT, [None, 3])],
        [
            h.make_tensor_value_info("label", T.INT64, [None]),
            h.make_tensor_value_info("probabilities", T.FLOAT, [None, width]),
        ],
        [*base, *inits],
    )
    imports = [h.make_opsetid("", 13), h.make_opsetid("ai.onnx.ml", 1)]
    found = h.make_model(graph, opset_imports=imports)
    found.ir_version = 8
    return found


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number: int, data: bytes, wire_type: int = 2) -> bytes:
    return varint(number << 3 | wire_type) + (varint(len(data)) if wire_type == 2 else b"") + data


def with_node(extra: bytes) -> bytes:
    """An honest model with one more node, `extra`, at the end of its graph."""
    found = model([])
    graph = found.graph.SerializeToString() + field(1, extra)
    found.ClearField("graph")
    return found.SerializeToString() + field(7, graph)


def with_graph(extra: bytes) -> bytes:
    found = model([])
    graph = found.graph.SerializeToString() + extra
    found.ClearField("graph")
    return found.SerializeToString() + field(7, graph)


def changed(name: str, change: Callable[[Any], None], **options: Any) -> bytes:
    """One of our own models after `change`."""
    found = onnx.load_from_string(compiled(name, **options))
    change(found)
    return found.SerializeToString()


def node_of(found: Any, op: str) -> dict[str, Any]:
    node = next(node for node in found.graph.node if node.op_type == op)
    return {attribute.name: attribute for attribute in node.attribute}


def tree(**change: Callable[[Any], None]) -> bytes:
    """A random forest whose attributes were changed in place."""

    def apply(found: Any) -> None:
        parts = node_of(found, "TreeEnsembleClassifier")
        for name, act in change.items():
            act(parts[name])

    return changed("RandomForest", apply)


def put(kind: str, place: int, value: Any) -> Callable[[Any], None]:
    return lambda attribute: getattr(attribute, kind).__setitem__(place, value)


def drop(kind: str) -> Callable[[Any], None]:
    return lambda attribute: getattr(attribute, kind).pop()


def deep_tree(depth: int) -> bytes:
    def apply(found: Any) -> None:
        parts, nodes = node_of(found, "TreeEnsembleClassifier"), 2 * depth + 1
        inner = list(range(depth))
        values = {
            "nodes_treeids": [0] * nodes,
            "nodes_nodeids": list(range(nodes)),
            "nodes_featureids": [0] * nodes,
            "nodes_truenodeids": [i + 1 for i in inner] + [0] * (depth + 1),
            "nodes_falsenodeids": [depth + 1 + i for i in inner] + [0] * (depth + 1),
            "nodes_missing_value_tracks_true": [0] * nodes,
            "class_ids": [0],
            "class_nodeids": [depth],
            "class_treeids": [0],
        }
        for name, given in values.items():
            parts[name].ints[:] = given
        for name in ("nodes_values", "nodes_hitrates"):
            parts[name].floats[:] = [1.0] * nodes
        parts["class_weights"].floats[:] = [1.0]
        parts["nodes_modes"].strings[:] = [b"BRANCH_LEQ"] * depth + [b"LEAF"] * (depth + 1)

    return changed("RandomForest", apply)


def sparse() -> bytes:
    found = model([])
    values = T()
    values.name, values.data_type, values.data_location = "w", T.UINT8, T.EXTERNAL
    values.dims.append(64)
    entry = values.external_data.add()
    entry.key, entry.value = "location", "README.md"
    tensor = onnx.SparseTensorProto()
    tensor.values.CopyFrom(values)
    tensor.indices.CopyFrom(A(np.arange(64, dtype=np.int64), "i"))
    tensor.dims.append(64)
    found.graph.sparse_initializer.append(tensor)
    return bytes(found.SerializeToString())


def external() -> bytes:
    found = model([])
    tensor = found.graph.initializer.add()
    tensor.name, tensor.data_type, tensor.data_location = "w", T.FLOAT, T.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "README.md"
    return bytes(found.SerializeToString())


def body(*nodes: Any) -> Any:
    return h.make_graph(
        list(nodes),
        "b",
        [h.make_tensor_value_info("s", T.FLOAT, [None, 3]), h.make_tensor_value_info("r", T.FLOAT, [3])],
        [h.make_tensor_value_info("s2", T.FLOAT, [None, 3]), h.make_tensor_value_info("d", T.FLOAT, [None])],
    )


def doubling(times: int) -> bytes:
    nodes = [N("Concat", [f"d{i}" if i else "x"] * 2, [f"d{i + 1}"], axis=1) for i in range(times)]
    return bytes(model(nodes).SerializeToString())


def lying(**values: Any) -> bytes:
    tensor = T()
    tensor.name = "w"
    for name, value in values.items():
        if isinstance(value, list):
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    return bytes(model([], [tensor]).SerializeToString())


def made(*nodes: Any, inits: list[Any] = ()) -> bytes:  # type: ignore[assignment]
    return bytes(model(list(nodes), list(inits)).SerializeToString())


def functions() -> bytes:
    found = model([])
    found.functions.append(
        h.make_function("f", "F", ["a"], ["b"], [N("Identity", ["a"], ["b"])], [h.make_opsetid("", 13)])
    )
    return bytes(found.SerializeToString())


BIG = np.array([500_000_000], np.int64)
MICROSOFT = varint(1 << 32 | 7 << 3 | 2) + varint(13) + b"com.microsoft"
NODE = N("Identity", ["x"], ["y"]).SerializeToString()
STEP = N("Sub", ["s", "r"], ["c"])
KEEP = N("Identity", ["s"], ["s2"])


def hostile() -> dict[str, bytes]:
    return {
        "sparse initializer": sparse(),
        "external data": external(),
        "a domain in an overflowing tag": with_node(NODE + MICROSOFT),
        "an opset in an overflowing tag": model([]).SerializeToString()
        + field(8, varint(1 << 32 | 1 << 3 | 2) + varint(13) + b"com.microsoft" + varint(2 << 3) + varint(1)),
        "com.microsoft": with_node(NODE + field(7, b"com.microsoft")),
        "another domain": with_node(NODE + field(7, b"ai.onnx.training")),
        "training info": model([]).SerializeToString() + field(20, b""),
        "metadata": model([]).SerializeToString() + field(14, b""),
        "functions": functions(),
        "quantization annotation": with_graph(field(14, b"")),
        "an unknown field": model([]).SerializeToString() + field(1_000, b""),
        "field 0": model([]).SerializeToString() + b"\x00\x01",
        "a group": model([]).SerializeToString() + varint(7 << 3 | 3) + varint(7 << 3 | 4),
        "a graph twice": model([]).SerializeToString() + field(7, model([]).graph.SerializeToString()),
        "an operator twice": with_node(NODE + field(4, b"Loop")),
        "a number where a graph belongs": varint(7 << 3) + varint(1),
        "a long number": model([]).SerializeToString() + b"\x28\x80\x80\x00",
        "a number of 70 bits": model([]).SerializeToString() + b"\x28" + b"\xff" * 9 + b"\x7f",
        "cut short": model([]).SerializeToString()[:-3],
        "nested messages": with_node(field(5, field(6, field(1, field(5, field(6, field(1, field(5, b"")))))))),
        "Loop": made(N("Loop", ["column", "z"], ["v"], body=body(KEEP))),
        "If": made(N("If", ["z"], ["v"], then_branch=body(KEEP), else_branch=body(KEEP))),
        "Scan of something else": made(
            N("Scan", ["x", "x"], ["a", "b"], num_scan_inputs=1, body=body(KEEP, N("Exp", ["s"], ["d"])))
        ),
        "Scan that carries": made(
            N(
                "Scan",
                ["x", "x"],
                ["a", "b"],
                num_scan_inputs=1,
                body=body(
                    N("Identity", ["s"], ["k"]),
                    STEP,
                    N("ReduceSumSquare", ["c"], ["q"], axes=[1], keepdims=0),
                    N("Identity", ["s"], ["d"]),
                    N("Add", ["s", "s"], ["s2"]),
                ),
            )
        ),
        "Scan of a scan": made(
            N(
                "Scan",
                ["x", "x"],
                ["a", "b"],
                num_scan_inputs=1,
                body=body(KEEP, N("Scan", ["s", "s"], ["e", "d"], num_scan_inputs=1, body=body(KEEP, STEP))),
            )
        ),
        "ConstantOfShape": made(N("ConstantOfShape", ["sh"], ["b"]), inits=[A(BIG, "sh")]),
        "Expand": made(N("Expand", ["z", "sh"], ["b"]), inits=[A(BIG, "sh")]),
        "Tile": made(N("Tile", ["column", "sh"], ["b"]), inits=[A(BIG, "sh")]),
        "Range": made(N("Range", ["lo", "hi", "st"], ["b"]), inits=[A(BIG[0], n) for n in ("lo", "hi", "st")]),
        "Pad": made(N("Pad", ["column", "sh"], ["b"]), inits=[A(BIG.repeat(2), "sh")]),
        "Resize": made(N("Resize", ["x", "", "", "sh"], ["b"]), inits=[A(BIG.repeat(2), "sh")]),
        "OneHot": made(N("OneHot", ["column", "sh", "column"], ["b"]), inits=[A(BIG, "sh")]),
        "Constant": made(N("Constant", [], ["b"], value=A(BIG, "v"))),
        "RandomNormal": made(N("RandomNormal", [], ["b"], shape=[500_000_000])),
        "EyeLike": made(N("EyeLike", ["x"], ["b"])),
        "an outer product": made(
            N("MatMul", ["a", "b"], ["c"]),
            inits=[A(np.zeros((20_000, 1), np.float32), "a"), A(np.zeros((1, 20_000), np.float32), "b")],
        ),
        "an outer sum": made(
            N("Add", ["a", "b"], ["c"]),
            inits=[A(np.zeros((20_000, 1), np.float32), "a"), A(np.zeros((1, 20_000), np.float32), "b")],
        ),
        "many large constants": made(
            *(N("Add", ["a", "b"], [f"c{i}"]) for i in range(16)),
            inits=[A(np.zeros((4_000, 1), np.float32), "a"), A(np.zeros((1, 4_000), np.float32), "b")],
        ),
        "many large sums": made(
            *(N("Add", ["col", "b"], [f"c{i}"]) for i in range(16)),
            inits=[A(np.zeros((1, 20_000), np.float32), "b")],
        ),
        "an outer product of the rows": made(
            N("Transpose", ["x"], ["t"], perm=[1, 0]),
            N("MatMul", ["x", "t"], ["q"]),
            N("Reshape", ["q", "flat"], ["f"]),
            N("Transpose", ["f"], ["u"], perm=[1, 0]),
            N("MatMul", ["f", "u"], ["w"]),
            inits=[A(np.array([-1, 1], np.int64), "flat")],
        ),
        "doubling": doubling(40),
        "many large matrices": made(
            *(N("MatMul", [f"w{i}" if i else "w", "w"], [f"w{i + 1}"]) for i in range(50)),
            inits=[A(np.zeros((2_000, 2_000), np.float32), "w")],
        ),
        "Reshape to a shape of its own": made(N("Shape", ["x"], ["s"]), N("Reshape", ["x", "s"], ["b"])),
        "Reshape to a huge one": made(N("Reshape", ["x", "sh"], ["b"]), inits=[A(BIG.repeat(3), "sh")]),
        "Reshape below zero": made(N("Reshape", ["x", "sh"], ["b"]), inits=[A(np.array([-1, -1]), "sh")]),
        "TopK of many": made(N("TopK", ["x", "k"], ["a", "b"]), inits=[A(BIG, "k")]),
        "Cast to text": made(N("Cast", ["x"], ["b"], to=T.STRING)),
        "many texts": made(
            N("ArrayFeatureExtractor", ["t", "i"], ["b"], domain="ai.onnx.ml"),
            inits=[A(np.array(["x" * 1_000], object), "t"), A(np.zeros(2_000_000, np.int64), "i")],
        ),
        "a long text": made(inits=[A(np.array(["x" * 100_000], object), "t")]),
        "dimensions that lie": lying(data_type=T.FLOAT, dims=[500_000_000], float_data=[1.0]),
        "dimensions that overflow": lying(data_type=T.FLOAT, dims=[1 << 33, 1 << 33], float_data=[1.0]),
        "a negative dimension": lying(data_type=T.FLOAT, dims=[-1], float_data=[1.0]),
        "bytes that do not fit": lying(data_type=T.FLOAT, dims=[4], raw_data=b"abc"),
        "two kinds of values": lying(data_type=T.FLOAT, dims=[1], float_data=[1.0], raw_data=b"abcd"),
        "values of another type": lying(data_type=T.FLOAT, dims=[1], int64_data=[1]),
        "a complex tensor": lying(data_type=T.COMPLEX64, dims=[1], float_data=[1.0, 1.0]),
        "a type beyond 32 bits": with_graph(
            field(5, field(8, b"w") + b"\x08\x01" + varint(2 << 3) + varint(1 << 32 | 1))
        ),
        "a segment": with_graph(field(5, field(8, b"w") + b"\x08\x01\x10\x01" + field(3, b""))),
        "the same name twice": made(N("Identity", ["x"], ["y"]), N("Identity", ["x"], ["y"])),
        "used before it is made": made(N("Identity", ["w"], ["y"]), N("Identity", ["x"], ["w"])),
        "its own input": made(N("Identity", ["y"], ["y"])),
        "an attribute twice": with_node(NODE + field(5, b"") * 2),
        "an attribute of two kinds": with_node(
            N("Cast", ["x"], ["y"], to=1).SerializeToString()
            + field(5, field(1, b"to") + b"\x18\x01" + varint(20 << 3) + b"\x02" + field(4, b"s"))
        ),
        "an attribute by reference": with_node(NODE + field(5, field(1, b"to") + field(21, b"x"))),
        "a cycle of trees": tree(nodes_truenodeids=put("ints", 1, 0)),
        "a node that is its own child": tree(nodes_truenodeids=put("ints", 0, 0)),
        "a shared child": tree(nodes_truenodeids=lambda a: a.ints.__setitem__(0, a.ints[1])),
        "a child that is not there": tree(nodes_falsenodeids=put("ints", 0, 1 << 20)),
        "a child far away": tree(nodes_falsenodeids=put("ints", 0, 1 << 40)),
        "a child below zero": tree(nodes_falsenodeids=put("ints", 0, -1)),
        "the same node twice": tree(nodes_nodeids=put("ints", 1, 0)),
        "a feature beyond the columns": tree(nodes_featureids=put("ints", 0, 1 << 20)),
        "a feature below zero": tree(nodes_featureids=put("ints", 0, -5)),
        "another mode": tree(nodes_modes=put("strings", 0, b"BRANCH_MEMBER")),
        "modes cut short": tree(nodes_modes=drop("strings")),
        "thresholds cut short": tree(nodes_values=drop("floats")),
        "votes cut short": tree(class_weights=drop("floats")),
        "a vote for no class": tree(class_ids=put("ints", 0, 99)),
        "a vote below zero": tree(class_ids=put("ints", 0, -1)),
        "a vote of a branch": tree(class_nodeids=put("ints", 0, 0)),
        "a vote of no tree": tree(class_treeids=put("ints", 0, 10_000)),
        "a very deep tree": deep_tree(3_000),
        "too few class labels": tree(classlabels_strings=drop("strings")),
        "vectors cut short": changed("SVC", lambda m: node_of(m, "SVMClassifier")["support_vectors"].floats.pop()),
        "vectors of no class": changed("SVC", lambda m: node_of(m, "SVMClassifier")["vectors_per_class"].ints.pop()),
        "vectors below zero": changed(
            "SVC", lambda m: node_of(m, "SVMClassifier")["vectors_per_class"].ints.__setitem__(0, -10)
        ),
        "rho cut short": changed("SVC", lambda m: node_of(m, "SVMClassifier")["rho"].floats.pop()),
        "coefficients cut short": changed(
            "LogisticRegression", lambda m: node_of(m, "LinearClassifier")["coefficients"].floats.pop()
        ),
        "an imputer of other columns": changed(
            "SVC", lambda m: node_of(m, "Imputer")["imputed_value_floats"].floats.extend([0.0] * 9)
        ),
        "an old version of operators": changed("SVC", lambda m: m.opset_import.add(domain="", version=1)),
        "a new version of operators": changed("SVC", lambda m: m.opset_import.add(domain="ai.onnx.ml", version=5)),
        "two inputs": changed(
            "SVC", lambda m: m.graph.input.append(h.make_tensor_value_info("more", T.FLOAT, [None, 3]))
        ),
        "an input of any shape": changed("SVC", lambda m: m.graph.input[0].type.tensor_type.ClearField("shape")),
        "an empty file": b"",
        "no protobuf": b"\xff" * 64,
        "nothing but nodes": field(7, field(1, NODE) * 5_000),
        "nothing but parts": field(7, field(12, b"") * 60_000),
    }
