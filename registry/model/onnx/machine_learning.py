"""The rules of the ai.onnx.ml operators: lengths, classes and widths must agree before ONNX Runtime sees them."""

from __future__ import annotations

from typing import Any

from registry.model.onnx.trees import check_trees
from registry.model.onnx.values import Dim, Node, Refused, Value, exact_size

MAX_CLASSES = 10_000


def imputer(node: Node) -> list[Value]:
    return _by_column(node, "imputed_value_floats")


def scaler(node: Node) -> list[Value]:
    _by_column(node, "scale")
    return _by_column(node, "offset")


def _by_column(node: Node, name: str) -> list[Value]:
    width = _matrix(node)
    if len(node.attributes[name]) not in (1, width):
        raise Refused(f"has {node.op} with {len(node.attributes[name])} values of {name} for {width} columns")
    return [Value(node.inputs[0].shape)]


def linear(node: Node) -> list[Value]:
    """Checks for a row of coefficients for each class, or a single row for two classes."""
    width, classes = _matrix(node), _classes(node)
    given = node.attributes
    rows = len(given.get("intercepts", ()))
    if rows not in (1, classes) or len(given["coefficients"]) != rows * width:
        raise Refused("has LinearClassifier whose coefficients do not fit its columns and classes")
    node.work = node.inputs[0].shape[0].size * width * rows
    return _labels_and_scores(node, max(classes, rows))


def support_vectors(node: Node) -> list[Value]:
    width, classes = _matrix(node), _classes(node)
    given = node.attributes
    per_class = given["vectors_per_class"]
    if len(per_class) != classes or bool((per_class < 0).any()):
        raise Refused("has SVMClassifier whose vectors_per_class do not fit its classes")
    count, pairs = int(per_class.sum()), classes * (classes - 1) // 2
    known = (
        (given["support_vectors"], count * width),
        (given["coefficients"], (classes - 1) * count),
        (given["rho"], pairs),
    )
    optional = [len(given.get(name, ())) for name in ("prob_a", "prob_b")]
    if count == 0 or any(len(values) != wanted for values, wanted in known) or optional not in ([0, 0], [pairs] * 2):
        raise Refused("has SVMClassifier whose vectors, coefficients or intercepts do not fit each other")
    if len(given["kernel_params"]) != 3:
        raise Refused("has SVMClassifier without exactly three kernel_params")
    rows = node.inputs[0].shape[0].size
    node.work = rows * count * (width + classes)
    node.scratch = rows * count
    return _labels_and_scores(node, classes if optional[0] else max(pairs, classes))


def trees(node: Node) -> list[Value]:
    width, classes = _matrix(node), _classes(node)
    if len(node.attributes.get("base_values", ())) not in (0, 1, classes):
        raise Refused("has TreeEnsembleClassifier whose base_values do not fit its classes")
    depths = check_trees(node.attributes, width, classes)
    node.work = node.inputs[0].shape[0].size * depths
    return _labels_and_scores(node, classes)


def _matrix(node: Node) -> int:
    """The number of columns of the input, which must be known, because column indices are checked against it."""
    shape = node.inputs[0].shape
    if len(shape) != 2:
        raise Refused(f"has {node.op} of an input that is not a table")
    return exact_size(shape[1], node.op)


def _classes(node: Node) -> int:
    kinds = [name for name in node.attributes if name.startswith("classlabels_")]
    if len(kinds) != 1:
        raise Refused(f"has {node.op} without class labels, or with two kinds of them")
    labels: Any = node.attributes[kinds[0]]
    if not 2 <= len(labels) <= MAX_CLASSES or len(set(labels if isinstance(labels, list) else labels.tolist())) != len(
        labels
    ):
        raise Refused(f"has {node.op} with {len(labels)} class labels, or the same one twice")
    return len(labels)


def _labels_and_scores(node: Node, width: int) -> list[Value]:
    rows = node.inputs[0].shape[0]
    text = "classlabels_strings" in node.attributes
    return [Value((rows,), text), Value((rows, Dim(width)))]
