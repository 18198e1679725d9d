"""The operators allowed in an ONNX file, with their attributes: those that the trainer's converters write.

To allow another operator or attribute, add it here with the rule for its shapes, and add a model that has it to
tests/onnx_models.py, whose test compares both lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry.model.onnx import machine_learning as ml
from registry.model.onnx import shapes
from registry.model.onnx.values import Node, Value

# Lowest and highest opset version by domain. Above 17, reductions and others have a different meaning.
OPSETS = {"": (9, 17), "ai.onnx.ml": (1, 3)}
IR_VERSIONS = range(3, 9)

FLOAT, INT32, INT64, STRING, BOOL = 1, 6, 7, 8, 9  # TensorProto.DataType


@dataclass(frozen=True, slots=True)
class Attribute:
    """`kind`: the field of the attribute that contains its value. `allowed`: the allowed values; None: any."""

    kind: str
    allowed: tuple[Any, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    rule: Callable[[Node], list[Value]]
    inputs: tuple[int, int] = (1, 1)  # minimum and maximum number
    outputs: int = 1
    attributes: dict[str, Attribute] | None = None


FLAG = Attribute("i", (0, 1))
NUMBER = Attribute("i", required=True)
TABLE = Attribute("ints", required=True)
WEIGHTS = Attribute("floats", required=True)
REDUCTION = {"axes": Attribute("ints"), "keepdims": FLAG}
INDEX = {"axis": Attribute("i"), "keepdims": FLAG, "select_last_index": Attribute("i", (0,))}
LABELS = {"classlabels_strings": Attribute("strings")}
POST = {"post_transform": Attribute("s", ("NONE", "LOGISTIC", "SOFTMAX"))}
MANY = (1, 10_000)  # number of inputs: one for each estimator of an ensemble

SAME = Operator(shapes.same)
BOTH = Operator(shapes.elementwise, (2, 2))
REDUCE = Operator(shapes.reduce, (1, 2), attributes=REDUCTION)

PLAIN: dict[str, Operator] = {
    **dict.fromkeys(
        ("Abs", "Exp", "Identity", "Log", "Neg", "Not", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh"), SAME
    ),
    **dict.fromkeys(("Add", "Div", "Equal", "Greater", "Less", "Mul", "Pow", "Sub"), BOTH),
    **dict.fromkeys(("ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceSum", "ReduceSumSquare"), REDUCE),
    "ArgMax": Operator(shapes.index_of, attributes=INDEX),
    "ArgMin": Operator(shapes.index_of, attributes={"axis": Attribute("i")}),
    "Cast": Operator(shapes.cast, attributes={"to": Attribute("i", (FLOAT, INT32, INT64, BOOL), required=True)}),
    "Clip": Operator(shapes.same, (1, 3)),
    "Concat": Operator(shapes.concat, MANY, attributes={"axis": NUMBER}),
    "ConstantOfShape": Operator(shapes.constant_of_shape, attributes={"value": Attribute("t")}),
    "Flatten": Operator(shapes.flatten),
    "MatMul": Operator(shapes.matmul, (2, 2)),
    "Max": Operator(shapes.elementwise, MANY),
    "Reshape": Operator(shapes.reshape, (2, 2), attributes={"allowzero": FLAG}),
    "Scan": Operator(
        shapes.distances,
        (2, 2),
        2,
        {"body": Attribute("g", required=True), "num_scan_inputs": Attribute("i", (1,), required=True)},
    ),
    "Shape": Operator(shapes.shape_of),
    "Softmax": SAME,
    "Sum": Operator(shapes.elementwise, MANY),
    "TopK": Operator(shapes.top_k, (2, 2), 2, {"largest": FLAG, "sorted": FLAG}),
    "Transpose": Operator(shapes.transpose, attributes={"perm": Attribute("ints")}),
    "Where": Operator(shapes.elementwise, (3, 3)),
}
LEARNED: dict[str, Operator] = {
    "ArrayFeatureExtractor": Operator(shapes.pick_columns, (2, 2)),
    "Imputer": Operator(
        ml.imputer, attributes={"imputed_value_floats": WEIGHTS, "replaced_value_float": Attribute("f", required=True)}
    ),
    "LinearClassifier": Operator(
        ml.linear,
        outputs=2,
        attributes={
            "coefficients": WEIGHTS,
            "intercepts": WEIGHTS,
            "classlabels_ints": Attribute("ints"),
            "multi_class": FLAG,
            **LABELS,
            **POST,
        },
    ),
    "Normalizer": Operator(shapes.same, attributes={"norm": Attribute("s", ("L1", "L2", "MAX"), required=True)}),
    "SVMClassifier": Operator(
        ml.support_vectors,
        outputs=2,
        attributes={
            "classlabels_ints": Attribute("ints"),
            "coefficients": WEIGHTS,
            "kernel_params": WEIGHTS,
            "kernel_type": Attribute("s", ("LINEAR", "POLY", "RBF", "SIGMOID"), required=True),
            "post_transform": Attribute("s", ("NONE",)),
            "prob_a": Attribute("floats"),
            "prob_b": Attribute("floats"),
            "rho": WEIGHTS,
            "support_vectors": WEIGHTS,
            "vectors_per_class": TABLE,
            **LABELS,
        },
    ),
    "Scaler": Operator(ml.scaler, attributes={"offset": WEIGHTS, "scale": WEIGHTS}),
    "TreeEnsembleClassifier": Operator(
        ml.trees,
        outputs=2,
        attributes={
            **dict.fromkeys(("class_ids", "class_nodeids", "class_treeids"), TABLE),
            **dict.fromkeys(("nodes_falsenodeids", "nodes_featureids", "nodes_nodeids"), TABLE),
            **dict.fromkeys(("nodes_treeids", "nodes_truenodeids"), TABLE),
            "base_values": Attribute("floats"),
            "class_weights": WEIGHTS,
            "classlabels_int64s": Attribute("ints"),
            "nodes_hitrates": Attribute("floats"),
            "nodes_missing_value_tracks_true": Attribute("ints"),
            "nodes_modes": Attribute("strings", required=True),
            "nodes_values": WEIGHTS,
            **LABELS,
            **POST,
        },
    ),
}
OPERATORS: dict[str, dict[str, Operator]] = {"": PLAIN, "ai.onnx.ml": LEARNED}
