"""The fields of an ONNX file that the trainer's converters write, by message. All others are refused.

Numbers, names and types are from onnx/onnx.proto. To allow another field, add it here, and a model that has it
to tests/onnx_models.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# `int`: a varint. `ints`, `floats`: a packed list. A name with a capital letter is another message.
Kind = str


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: Kind
    repeated: bool = False
    largest: int = 1_024  # bytes of a text


LONG_TEXT = 65_536
Message = Literal[
    "Model", "Opset", "Graph", "Node", "Attribute", "Tensor", "ValueInfo", "Type", "TensorType", "Shape", "Dimension"
]

FIELDS: dict[str, dict[int, Field]] = {
    "Model": {
        1: Field("ir_version", "int"),
        2: Field("producer_name", "text"),
        3: Field("producer_version", "text"),
        4: Field("domain", "text"),
        5: Field("model_version", "int"),
        6: Field("doc_string", "text", largest=LONG_TEXT),
        7: Field("graph", "Graph"),
        8: Field("opset_import", "Opset", repeated=True),
    },
    "Opset": {1: Field("domain", "text"), 2: Field("version", "int")},
    "Graph": {
        1: Field("node", "Node", repeated=True),
        2: Field("name", "text"),
        5: Field("initializer", "Tensor", repeated=True),
        11: Field("input", "ValueInfo", repeated=True),
        12: Field("output", "ValueInfo", repeated=True),
    },
    "Node": {
        1: Field("input", "text", repeated=True),
        2: Field("output", "text", repeated=True),
        3: Field("name", "text"),
        4: Field("op_type", "text"),
        5: Field("attribute", "Attribute", repeated=True),
        7: Field("domain", "text"),
    },
    "Attribute": {
        1: Field("name", "text"),
        2: Field("f", "float"),
        3: Field("i", "int"),
        4: Field("s", "text"),
        5: Field("t", "Tensor"),
        6: Field("g", "Graph"),
        7: Field("floats", "float", repeated=True),
        8: Field("ints", "int", repeated=True),
        9: Field("strings", "text", repeated=True),
        20: Field("type", "int"),
    },
    "Tensor": {
        1: Field("dims", "int", repeated=True),
        2: Field("data_type", "int"),
        4: Field("float_data", "floats"),
        5: Field("int32_data", "ints"),
        6: Field("string_data", "text", repeated=True),
        7: Field("int64_data", "ints"),
        8: Field("name", "text"),
        9: Field("raw_data", "bytes"),
    },
    "ValueInfo": {1: Field("name", "text"), 2: Field("type", "Type")},
    "Type": {1: Field("tensor_type", "TensorType")},
    "TensorType": {1: Field("elem_type", "int"), 2: Field("shape", "Shape")},
    "Shape": {1: Field("dim", "Dimension", repeated=True)},
    "Dimension": {1: Field("dim_value", "int")},
}
