"""ONNX files from strangers are refused before ONNX Runtime sees them, if our converters do not write such files."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.model.onnx.audit import audit
from registry.model.onnx.operators import OPERATORS
from registry.model.onnx.wire import Malformed, parse
from tests.attacks import onnx_files
from tests.onnx_models import compiled, every_kind

# Listed, but not written by any model of the test: they belong to another version of the operator.
EXTRAS = {("", "ReduceMax", "keepdims"), ("", "ReduceSum", "axes")}
LONG = bool(os.environ.get("TEST_ATTACKS"))
HOSTILE = onnx_files.hostile()


def test_the_list_is_exactly_what_our_converters_write() -> None:
    seen: set[tuple[str, str, str | None]] = set()

    def walk(graph: Any) -> None:
        for node in graph.node:
            seen.add((node.domain, node.op_type, None))
            for attribute in node.attribute:
                seen.add((node.domain, node.op_type, attribute.name))
                if attribute.type == onnx.AttributeProto.GRAPH:
                    walk(attribute.g)

    for name, data in every_kind(LONG):
        assert audit(data) is None, name
        walk(onnx.load_from_string(data).graph)
    listed: set[tuple[str, str, str | None]] = set()
    for domain, operators in OPERATORS.items():
        for op, operator in operators.items():
            listed |= {(domain, op, None)} | {(domain, op, name) for name in operator.attributes or {}}
    assert listed - seen == EXTRAS
    assert seen <= listed


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_files_that_our_converters_cannot_write_are_refused(name: str) -> None:
    """Files outside, bombs by shape, loops, and arrays whose indices ONNX Runtime would follow out of its memory."""
    if LONG:  # it takes three times as long when memory is traced
        tracemalloc.start()
    began = time.monotonic()
    try:
        assert audit(HOSTILE[name])
        assert time.monotonic() - began < 60  # for a busy machine; without the bound it would take forever
        assert tracemalloc.get_traced_memory()[1] < 50_000_000 + 20 * len(HOSTILE[name])
    finally:
        tracemalloc.stop()


def test_the_base_of_the_hostile_files_passes() -> None:
    """Otherwise all hostile files might be refused for another reason."""
    assert audit(onnx_files.made()) is None
    assert audit(onnx_files.deep_tree(900)) is None


def test_repeated_numbers_are_read_as_onnx_reads_them() -> None:
    for name, data in every_kind(whole=False):
        assert same(data), name


def same(data: bytes) -> bool:
    """True if the package `onnx` reads the same as we do, also after writing the file again."""
    theirs = onnx.load_from_string(data)
    return _plain(parse(data)) == _proto(theirs) == _plain(parse(theirs.SerializeToString()))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if _some(inner)}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return [repr(each) for each in value.tolist()] if hasattr(value, "tolist") else _leaf(value)


def _some(value: Any) -> bool:
    return not hasattr(value, "__len__") or isinstance(value, str | bytes | dict) or len(value) > 0


def _leaf(value: Any) -> Any:
    return repr(value) if isinstance(value, int | float) else value


def _proto(message: Any) -> Any:
    found = {}
    for field, value in message.ListFields():
        if field.is_repeated:
            values = list(value)
            if field.message_type:
                found[field.name] = [_proto(each) for each in values]
            else:
                found[field.name] = [_scalar(each, isinstance(each, int | float)) for each in values]
        else:
            found[field.name] = _proto(value) if field.message_type else _scalar(value, True)
    return found


def _scalar(value: Any, number: bool) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return repr(value) if number and isinstance(value, int | float) else value


NAMES = ("LogisticRegression", "KNeighbors", "RandomForest", "GaussianNB")


def mutant(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(found))
        match chance.randrange(4):
            case 0:
                found[at] = chance.randrange(256)
            case 1:
                del found[at : at + chance.randint(1, 8)]
            case 2:
                found[at:at] = chance.randbytes(chance.randint(1, 6))
            case _:
                start = chance.randrange(len(found))
                found[at:at] = found[start : start + chance.randint(1, 40)]
    return bytes(found)


def check_mutant(data: bytes) -> bool:
    """A file is refused, or ONNX's own parser sees the same in it."""
    if audit(data) is not None:
        return False
    assert same(data)
    return True


def test_a_changed_file_is_refused_or_read_the_same_way() -> None:
    chance = random.Random(1)
    originals = [compiled(name) for name in NAMES]
    passed = sum(check_mutant(mutant(chance.choice(originals), chance)) for _ in range(6_000 if LONG else 300))
    assert passed > 0


@settings(max_examples=2_000 if LONG else 200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_verdict(data: bytes) -> None:
    assert audit(data) is not None
    for message in ("Graph", "Node", "Attribute", "Tensor"):
        try:
            found = parse(data, message)
        except Malformed:
            continue
        assert isinstance(found, dict)
