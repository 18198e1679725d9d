"""A strict protobuf reader: every other parser reads the messages that it accepts in the same way.

It accepts only known fields, each with the expected wire type, numbers in their shortest form, and a singular field
at most once, because parsers differ in which of two they use. A worker has onnxruntime but not the onnx package.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from registry.model.onnx.schema import FIELDS, Field

MAX_DEPTH = 12  # messages in messages; a distance's loop body needs 9
MAX_MESSAGES = 50_000
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WIRE_TYPES = {"int": VARINT, "float": FIXED32}  # all other kinds are length-delimited
# Texts that occur a million times in a forest, as Attribute.strings encodes them.
MODE_TAG = 9 << 3 | BYTES
KNOWN_MODES = {b"BRANCH_LEQ": "BRANCH_LEQ", b"LEAF": "LEAF"}
MODES, MODE = re.compile(rb"(?:J\x0aBRANCH_LEQ|J\x04LEAF)++"), re.compile(rb"BRANCH_LEQ|LEAF")
NUMBERS = re.compile(rb"(?:[\x80-\xff]{0,9}+[\x00-\x7f])*+")
NUMBER = re.compile(rb"[\x80-\xff]{0,9}+[\x00-\x7f]")

Parsed = dict[str, Any]


class Malformed(ValueError):
    """The bytes are not such a message, or are ambiguous."""


def parse(data: bytes, message: str = "Model") -> Parsed:
    """The fields of `message` by name. Repeated fields are lists, or NumPy arrays for numbers. Raises Malformed."""
    return _Reader().read(memoryview(data), message, MAX_DEPTH)


class _Reader:
    def __init__(self) -> None:
        self._messages = 0
        self._known: dict[bytes, int] = {}  # node ids repeat, so most numbers of a tree are decoded only once

    def read(self, data: memoryview, message: str, depth: int) -> Parsed:
        self._messages += 1
        if depth == 0 or self._messages > MAX_MESSAGES:
            raise Malformed("it is nested too deep, or has too many parts")
        fields, found, at = FIELDS[message], Parsed(), 0
        while at < len(data):
            tag, at = _varint(data, at)
            number, wire_type = tag >> 3, tag & 7
            field = fields.get(number) if tag < 1 << 32 else None
            if field is None:
                raise Malformed(f"{message} has the field {number}, which our converters do not write")
            if wire_type != WIRE_TYPES.get(field.kind, BYTES):
                raise Malformed(f"{message}.{field.name} has the wire type {wire_type}")
            if not field.repeated and field.name in found:
                raise Malformed(f"{message}.{field.name} appears twice")
            if field.repeated and field.kind == "text" and (run := MODES.match(data, at - 1)) and tag == MODE_TAG:
                found.setdefault(field.name, []).extend(map(KNOWN_MODES.__getitem__, MODE.findall(run[0])))
                at = run.end()
            elif field.repeated and field.kind in WIRE_TYPES:
                values, at = self._run(data, at, tag, field)
                found.setdefault(field.name, []).append(values)
            else:
                value, at = self._one(data, at, field, f"{message}.{field.name}", depth)
                if field.repeated:
                    found.setdefault(field.name, []).append(value)
                else:
                    found[field.name] = value
        for field in fields.values():
            if field.repeated and field.kind in WIRE_TYPES and field.name in found:
                found[field.name] = np.concatenate(found[field.name])
        return found

    def _one(self, data: memoryview, at: int, field: Field, where: str, depth: int) -> tuple[Any, int]:
        if field.kind == "int":
            value, at = _varint(data, at)
            return _signed(value), at
        if field.kind == "float":
            if at + 4 > len(data):
                raise Malformed(f"{where} is cut short")
            return float(np.frombuffer(data[at : at + 4], "<f4")[0]), at + 4
        length, at = _varint(data, at)
        if length > len(data) - at:
            raise Malformed(f"{where} is cut short")
        value_bytes, at = data[at : at + length], at + length
        if field.kind == "text":
            return _text(value_bytes, where, field.largest), at
        if field.kind == "bytes":
            return bytes(value_bytes), at
        if field.kind == "floats":
            if length % 4:
                raise Malformed(f"{where} has a length that is not a multiple of 4")
            return np.frombuffer(value_bytes, "<f4"), at
        if field.kind == "ints":
            return self._numbers(bytes(value_bytes), where), at
        return self.read(value_bytes, field.kind, depth - 1), at

    def _run(self, data: memoryview, at: int, tag: int, field: Field) -> tuple[Any, int]:
        """Reads a run of values of the same field at once: a forest has a million."""
        mark = re.escape(bytes([tag]))  # all repeated numbers have field numbers below 16
        item = rb"[\s\S]{4}" if field.kind == "float" else rb"[\x80-\xff]{0,9}+[\x00-\x7f]"
        run = re.compile(item + rb"(?:" + mark + item + rb")*+").match(data, at)
        if run is None:
            raise Malformed(f"{field.name} is cut short")
        if field.kind == "float":
            raw = np.frombuffer(data[at - 1 : run.end()], np.dtype([("tag", "u1"), ("value", "<f4")]))
            return raw["value"], run.end()
        values = re.findall(rb"(?:^|" + mark + rb")(" + item + rb")", data[at : run.end()])
        return self._decoded(values), run.end()

    def _numbers(self, data: bytes, where: str) -> Any:
        if not NUMBERS.fullmatch(data):
            raise Malformed(f"{where} is cut short")
        return self._decoded(NUMBER.findall(data))

    def _decoded(self, values: list[bytes]) -> Any:
        known = self._known
        for value in set(values).difference(known):
            known[value] = _signed(_varint(memoryview(value), 0)[0])
        return np.fromiter(map(known.__getitem__, values), np.int64, len(values))


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64 or (byte == 0 and shift):
                raise Malformed("a number is too large, or is encoded in too many bytes")
            return value, at
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _text(data: memoryview, where: str, largest: int) -> str:
    if len(data) > largest:
        raise Malformed(f"{where} has {len(data)} bytes")
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{where} is not UTF-8") from None
    if "\0" in text:
        raise Malformed(f"{where} contains a NUL")
    return text
