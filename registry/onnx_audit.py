"""Looks into an ONNX file before it is loaded: operator domains, and data outside the file.

A walk over the protobuf wire format (onnx/onnx.proto, IR version 3 and later), because a worker has onnxruntime
and not the onnx package. It only reads lengths; nothing is constructed.
"""

from __future__ import annotations

from collections.abc import Iterator

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

# Field numbers, by message: onnx.proto.
MODEL_GRAPH, MODEL_OPSET, MODEL_FUNCTIONS = 7, 8, 25
OPSET_DOMAIN = 1
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_ATTRIBUTE, NODE_DOMAIN = 5, 7
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11
TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION = 13, 14
DEPTH = 16

Field = tuple[int, bytes | int]


class Malformed(ValueError):
    """Not a protobuf message, or lengths that lie."""


def audit(data: bytes) -> str | None:
    """Why this file must not be loaded; None if nothing speaks against it."""
    try:
        return _model(data)
    except (Malformed, UnicodeDecodeError) as error:
        return f"it is not an ONNX file ({error})"


def _model(data: bytes) -> str | None:
    graphs = 0
    for number, value in _fields(data):
        if number == MODEL_FUNCTIONS:
            return "it brings functions of its own"
        if number == MODEL_OPSET:
            for inner, domain in _fields(_message(value)):
                if inner == OPSET_DOMAIN and (why := _domain(domain)):
                    return why
        if number == MODEL_GRAPH:
            graphs += 1
            if why := _graph(_message(value), DEPTH):
                return why
    return None if graphs == 1 else "it has no graph"


def _graph(data: bytes, depth: int) -> str | None:
    if depth == 0:
        return "its graphs are nested too deep"
    for number, value in _fields(data):
        why = None
        if number == GRAPH_NODE:
            why = _node(_message(value), depth)
        elif number == GRAPH_INITIALIZER:
            why = _tensor(_message(value))
        if why:
            return why
    return None


def _node(data: bytes, depth: int) -> str | None:
    for number, value in _fields(data):
        why = None
        if number == NODE_DOMAIN:
            why = _domain(value)
        elif number == NODE_ATTRIBUTE:
            why = _attribute(_message(value), depth)
        if why:
            return why
    return None


def _attribute(data: bytes, depth: int) -> str | None:
    for number, value in _fields(data):
        why = None
        if number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            why = _tensor(_message(value))
        elif number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
            why = _graph(_message(value), depth - 1)
        if why:
            return why
    return None


def _tensor(data: bytes) -> str | None:
    for number, value in _fields(data):
        if number == TENSOR_EXTERNAL_DATA or (number == TENSOR_DATA_LOCATION and value != 0):
            return "it keeps data outside the file"
    return None


def _domain(value: bytes | int) -> str | None:
    domain = _message(value).decode()
    return None if domain in DOMAINS else f"it uses operators of the domain {domain!r}"


def _message(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise Malformed("a number where a message belongs")
    return value


def _fields(data: bytes) -> Iterator[Field]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise Malformed("a length that lies")
            yield number, data[at : at + length]
            at += length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
            if at > len(data):
                raise Malformed("cut short")
        else:
            raise Malformed(f"wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
