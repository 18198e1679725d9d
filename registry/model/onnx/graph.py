"""Checks a parsed model: every operator is allowed, its inputs exist, and its outputs stay within bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from registry.model.onnx.operators import FLOAT, INT32, INT64, IR_VERSIONS, OPERATORS, OPSETS, STRING, Operator
from registry.model.onnx.values import MAX_ELEMENTS, ROWS, Dim, Node, Refused, Value, checked
from registry.model.onnx.wire import Parsed

MAX_IMPORTS = 8
MAX_NODES = 10_000
MAX_INPUTS = 100_000  # of all nodes
MAX_INITIALIZERS = 10_000
MAX_COLUMNS = 10_000
MAX_RANK = 8
MAX_TEXTS = 100_000  # of an initializer
MAX_SUM = 1 << 28  # elements that all nodes produce: a gigabyte if none is freed in between
MAX_FIXED = (
    1 << 24
)  # of these, elements whose number does not grow with the rows: they may be computed at load and stay in memory
MAX_WORK = 1 << 35  # multiplications or comparisons for ROWS rows: half a minute of one core
ATTRIBUTE_TYPES = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}


def check_model(model: Parsed) -> None:
    """Checks a parsed model. Raises Refused."""
    if model.get("ir_version") not in IR_VERSIONS:
        raise Refused(f"has the IR version {model.get('ir_version')}")
    _check_opsets(model.get("opset_import", []))
    graph = model.get("graph")
    if graph is None:
        raise Refused("has no graph")
    inputs, outputs = graph.get("input", []), graph.get("output", [])
    if len(inputs) != 1 or not 1 <= len(outputs) <= 2:
        raise Refused(
            f"has {len(inputs)} inputs and {len(outputs)} outputs; it should have one input, and one or two outputs"
        )
    shape = _declared(inputs[0], FLOAT)
    if len(shape) != 2 or shape[0] is not None or shape[1] is None or not 0 < shape[1] <= MAX_COLUMNS:
        raise Refused("has an input whose shape is not any number of rows by a fixed number of columns")
    rows = Value((Dim(ROWS, exact=False), Dim(shape[1])))
    _Walk().graph(graph, [rows], nested=False)
    for output in outputs:
        _declared(output, None)


def _check_opsets(imports: list[Parsed]) -> None:
    versions: dict[str, int] = {}
    for each in imports[:MAX_IMPORTS]:
        domain, version = each.get("domain", ""), each.get("version", 0)
        if domain not in OPSETS:
            raise Refused(f"uses operators of the domain {domain!r}")
        low, high = OPSETS[domain]
        if (
            not low <= version <= high or versions.get(domain, version) != version
        ):  # skl2onnx writes the same entry twice
            raise Refused(
                f"uses version {version} of the operators of {domain!r}, or two versions; {low} to {high} are allowed"
            )
        versions[domain] = version
    if "" not in versions or len(imports) > MAX_IMPORTS:
        raise Refused("declares no operator set, or too many")


def _declared(info: Parsed, wanted: int | None) -> list[int | None]:
    tensor = info.get("type", {}).get("tensor_type", {})
    kind = tensor.get("elem_type")
    if kind not in ((FLOAT, INT64, STRING) if wanted is None else (wanted,)) or not info.get("name"):
        raise Refused(f"has an input or output of the type {kind}, or without a name")
    dims = [dim.get("dim_value") for dim in tensor.get("shape", {}).get("dim", [])]
    if len(dims) > MAX_RANK or any(dim is not None and not 0 <= dim <= MAX_ELEMENTS for dim in dims):
        raise Refused("has an input or output of an unexpected shape")
    return dims


class _Walk:
    """Walks a graph and its subgraph, and adds up the bounds."""

    def __init__(self) -> None:
        self._nodes = self._inputs = self._sum = self._fixed = self._work = 0

    def graph(self, graph: Parsed, inputs: list[Value], nested: bool) -> list[Value]:
        """The values of its outputs. Raises Refused."""
        known: dict[str, Value] = {}
        initializers = graph.get("initializer", [])
        if len(initializers) > MAX_INITIALIZERS:
            raise Refused(f"has {len(initializers):,} initializers")
        for tensor in initializers:
            self._define(known, tensor.get("name", ""), tensor_value(tensor))
        for info, value in zip(graph.get("input", []), inputs, strict=True):
            self._define(known, info.get("name", ""), value)
        for node in graph.get("node", []):
            self._node(node, known, nested)
        names = [info.get("name", "") for info in graph.get("output", [])]
        if absent := [name for name in names if name not in known]:
            raise Refused(f"has the output {absent[0][:80]!r}, which no node produces")
        return [known[name] for name in names]

    def _define(self, known: dict[str, Value], name: str, value: Value) -> None:
        if not name or name in known:
            raise Refused(f"makes {name[:80]!r}twice, or a value without a name")
        known[name] = value

    def _node(self, parsed: Parsed, known: dict[str, Value], nested: bool) -> None:
        domain, op = parsed.get("domain", ""), parsed.get("op_type", "")
        if domain == "ai.onnx":
            domain = ""
        operator = OPERATORS.get(domain, {}).get(op)
        if operator is None:
            raise Refused(f"has the operator {op[:80]!r} of the domain {domain[:80]!r}")
        names, outputs = parsed.get("input", []), parsed.get("output", [])
        self._nodes, self._inputs = self._nodes + 1, self._inputs + len(names)
        if self._nodes > MAX_NODES or self._inputs > MAX_INPUTS:
            raise Refused(f"has more than {MAX_NODES:,} nodes or {MAX_INPUTS:,} inputs of nodes")
        if not operator.inputs[0] <= len(names) <= operator.inputs[1] or not 1 <= len(outputs) <= operator.outputs:
            raise Refused(f"has {op} with {len(names)} inputs and {len(outputs)} outputs")
        inputs = [self._input(op, place, name, known) for place, name in enumerate(names)]
        node = Node(op, _attributes(operator, op, parsed.get("attribute", [])), inputs, len(outputs))
        if "body" in node.attributes:
            self._body(node, nested)
        made = operator.rule(node)
        self._work += node.work
        for value in (*made[: len(outputs)], Value((Dim(node.scratch, exact=False),))):
            self._sum += checked(value, op).elements
            self._fixed += value.elements if value.exact else 0
        if self._sum > MAX_SUM or self._fixed > MAX_FIXED or self._work > MAX_WORK:
            raise Refused(
                f"would compute too much for {ROWS:,} rows: {self._sum:,} elements, {self._fixed:,} of them before any "
                f"row, in {self._work:,} steps"
            )
        for name, value in zip(outputs, made, strict=False):
            self._define(known, name, value)

    def _input(self, op: str, place: int, name: str, known: dict[str, Value]) -> Value:
        if name == "" and op == "Clip" and place:  # a missing lower or upper limit
            return Value(())
        if name not in known:
            raise Refused(f"has {op} of {name[:80]!r}, which no earlier node produces")
        if len(known[name].shape) > MAX_RANK:
            raise Refused(f"has {op} of {len(known[name].shape)} dimensions")
        return known[name]

    def _body(self, node: Node, nested: bool) -> None:
        points, rows = (each.shape for each in node.inputs)
        if nested or len(points) != 2 or len(rows) != 2 or len(node.attributes["body"].get("input", [])) != 2:
            raise Refused(f"has a {node.op} inside another one, or with inputs that are not two tables")
        self.graph(node.attributes["body"], [Value(points), Value(rows[1:])], nested=True)


def _attributes(operator: Operator, op: str, given: list[Parsed]) -> dict[str, Any]:
    listed = operator.attributes or {}
    found: dict[str, Any] = {}
    for each in given:
        name, kind = each.get("name", ""), ATTRIBUTE_TYPES.get(each.get("type", 0))
        rule = listed.get(name)
        if rule is None or rule.kind != kind or name in found or set(each) - {"name", "type", kind}:
            raise Refused(f"has {op} with the attribute {name[:80]!r} in a form that our converters do not write")
        empty: Any = np.zeros(0, np.int64) if kind == "ints" else [] if kind in ("floats", "strings") else None
        value = each.get(kind, empty)
        if value is None or (rule.allowed and value not in rule.allowed):
            raise Refused(f"has {op} with {name} = {str(value)[:80]}")
        if kind == "t" and tensor_value(value).elements != 1:
            raise Refused(f"has {op} with a tensor that does not have exactly one element")
        found[name] = value
    if missing := sorted(name for name, rule in listed.items() if rule.required and name not in found):
        raise Refused(f"has {op} without {missing[0]}")
    return found


def tensor_value(tensor: Parsed) -> Value:
    """The value of an initializer; its number of bytes must match its shape. Raises Refused."""
    kind, dims = tensor.get("data_type"), [int(dim) for dim in tensor.get("dims", [])]
    if len(dims) > MAX_RANK or any(dim < 0 or dim > MAX_ELEMENTS for dim in dims):
        raise Refused(f"has a tensor of the shape {dims[:MAX_RANK]}")
    value = checked(Value(tuple(map(Dim, dims)), text=kind == STRING), "an initializer")
    parts = [part for part in ("float_data", "int32_data", "int64_data", "string_data", "raw_data") if part in tensor]
    wanted = {FLOAT: "float_data", INT32: "int32_data", INT64: "int64_data", STRING: "string_data"}
    if kind not in wanted or len(parts) > 1 or (parts and parts[0] not in (wanted[kind], "raw_data")):
        raise Refused(f"has a tensor of the type {kind} with {' and '.join(parts) or 'no values'}")
    data: Any = tensor[parts[0]] if parts else ()
    if parts == ["raw_data"]:
        if kind == STRING or len(data) != value.elements * (8 if kind == INT64 else 4):
            raise Refused("has a tensor whose bytes do not fit its shape")
        data = np.frombuffer(data, {FLOAT: "<f4", INT32: "<i4", INT64: "<i8"}[kind])
    if len(data) != value.elements or (kind == STRING and len(data) > MAX_TEXTS):
        raise Refused("has a tensor whose number of values does not match its shape")
    if kind == INT32 and len(data) and (int(min(data)) < -(1 << 31) or int(max(data)) >= 1 << 31):
        raise Refused("has a tensor with numbers of more than 32 bits")
    if kind in (INT32, INT64) and len(data) <= 16 and len(dims) <= 1:
        return Value(value.shape, constant=tuple(int(each) for each in data))
    return value
