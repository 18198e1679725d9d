"""Adds a calibration to a compiled pipeline, as ONNX operators.

The converter of skl2onnx is not exact: it takes the nearest point of an isotonic function instead of interpolating.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ML = "ai.onnx.ml"
QDA_DECISIONS = "decision_fun"  # the tensor in which skl2onnx keeps the decision values

Array = NDArray[np.float64]


def add_calibration(model: Any, estimator: Any, method: str, parts: list[Any], classes: list[str]) -> None:
    """Appends the calibration to the compiled `estimator`. Changes `model` in place."""
    from onnx import TensorProto, helper

    graph = model.graph
    build = _Build(graph)
    columns = _score_columns(build, model, estimator, len(classes))
    found = [_probability_column(build, method, part, column) for part, column in zip(parts, columns, strict=True)]
    if len(found) == 1:
        shares = build.node("Concat", build.node("Sub", build.numbers([1.0]), found[0]), found[0], axis=1)
    else:
        joined = build.node("Concat", *found, axis=1)
        total = build.node("ReduceSum", joined, build.whole([1]), keepdims=1)
        none = build.node("Equal", total, build.numbers([0.0]))
        divided = build.node("Div", joined, build.node("Where", none, build.numbers([1.0]), total))
        shares = build.node("Where", none, build.numbers([1 / len(classes)]), divided)
    place = build.node("ArgMax", shares, axis=1, keepdims=0)
    names = build.texts(classes)
    picked = build.node("ArrayFeatureExtractor", names, place, domain=ML)
    label = build.node("Reshape", picked, build.whole([-1]))
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info(label, TensorProto.STRING, [None]),
            helper.make_tensor_value_info(shares, TensorProto.FLOAT, [None, len(classes)]),
        ]
    )


def _score_columns(build: _Build, model: Any, estimator: Any, classes: int) -> list[str]:
    """Returns the names of the tensors to calibrate: one for each class; of two classes, only the second's."""
    scores = model.graph.output[1].name
    if hasattr(estimator, "booster_"):  # LightGBM: its margins, before they become probabilities
        for node in model.graph.node:
            for attribute in node.attribute:
                if attribute.name == "post_transform":
                    attribute.s = b"NONE"
    inner = [name for node in model.graph.node for name in node.output if name.startswith(QDA_DECISIONS)]
    if type(estimator).__name__ == "QuadraticDiscriminantAnalysis" and inner:
        scores = inner[0]
        if classes == 2:
            return [build.node("Sub", build.column(scores, 1), build.column(scores, 0))]
    if classes == 2:
        return [build.column(scores, _count_columns(model) - 1)]
    return [build.column(scores, number) for number in range(classes)]


def _count_columns(model: Any) -> int:
    """Returns the number of columns of the scores. For two classes a converter writes two columns, or only one."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    row = np.zeros((1, given.shape[1]), np.float32)
    width: int = session.run([model.graph.output[1].name], {given.name: row})[0].reshape(1, -1).shape[1]
    return width


def _probability_column(build: _Build, method: str, part: Any, scores: str) -> str:
    """Returns the name of the tensor with the probability for one column of scores, (rows, 1)."""
    if method == "sigmoid":
        line = build.node("Add", build.node("Mul", scores, build.numbers([-part.a_])), build.numbers([-part.b_]))
        return build.node("Sigmoid", line)
    return _piecewise_linear(
        build, np.asarray(part.X_thresholds_, float), np.asarray(part.y_thresholds_, float), scores
    )


def _piecewise_linear(build: _Build, x: Array, y: Array, scores: str) -> str:
    """Adds a piecewise linear function: each knot adds its change of slope, times how far a score lies beyond it."""
    if len(x) == 1:
        return build.node("Add", build.node("Mul", scores, build.numbers([0.0])), build.numbers([y[0]]))
    slopes = np.diff(y) / np.diff(x)
    changes = np.diff(slopes, prepend=0.0)
    inside = build.node("Clip", scores, build.number(x[0]), build.number(x[-1]))
    beyond = build.node("Relu", build.node("Sub", inside, build.numbers(x[:-1][None, :])))
    return build.node("Add", build.node("MatMul", beyond, build.numbers(changes[:, None])), build.numbers([y[0]]))


class _Build:
    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._count = 0

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = self._name()
        self._graph.node.append(helper.make_node(op, list(inputs), [output], domain=domain, **attributes))
        return output

    def column(self, name: str, number: int) -> str:
        return self.node("ArrayFeatureExtractor", name, self.whole([number]), domain=ML)

    def number(self, value: float) -> str:
        return self._add(np.array(value, dtype=np.float32))

    def numbers(self, values: Any) -> str:
        return self._add(np.array(values, dtype=np.float32))

    def whole(self, values: list[int]) -> str:
        return self._add(np.array(values, dtype=np.int64))

    def texts(self, values: list[str]) -> str:
        return self._add(np.array(values, dtype=object))

    def _add(self, values: Any) -> str:
        from onnx import numpy_helper

        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"calibration_{self._count}"
