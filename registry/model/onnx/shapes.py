"""The rules of plain operators: compute the bounds of a node's outputs from those of its inputs. Pure."""

from __future__ import annotations

import math

from registry.model.onnx.values import Dim, Node, Refused, Value, axis_of, broadcast, checked, product
from registry.model.onnx.wire import Parsed


def same(node: Node) -> list[Value]:
    """One output with the shape of the first input."""
    return [Value(node.inputs[0].shape, node.inputs[0].text)]


def cast(node: Node) -> list[Value]:
    return [Value(node.inputs[0].shape)]


def elementwise(node: Node) -> list[Value]:
    text = any(each.text for each in node.inputs)
    return [Value(broadcast([each.shape for each in node.inputs], node.op), text)]


def reduce(node: Node) -> list[Value]:
    shape = node.inputs[0].shape
    axes = node.attributes.get("axes")
    if axes is None:
        axes = node.constant(1) if len(node.inputs) > 1 else range(len(shape))
    return [_reduced(node, {axis_of(int(axis), len(shape), node.op) for axis in axes})]


def index_of(node: Node) -> list[Value]:
    """The output shape of ArgMax and ArgMin."""
    return [_reduced(node, {axis_of(node.attributes.get("axis", 0), len(node.inputs[0].shape), node.op)})]


def _reduced(node: Node, axes: set[int]) -> Value:
    node.work = node.inputs[0].elements
    keep = node.attributes.get("keepdims", 1) == 1
    dims = [Dim(1) if place in axes else dim for place, dim in enumerate(node.inputs[0].shape)]
    return Value(tuple(dim for place, dim in enumerate(dims) if keep or place not in axes))


def concat(node: Node) -> list[Value]:
    shapes = [each.shape for each in node.inputs]
    axis = axis_of(node.attributes["axis"], len(shapes[0]), node.op)
    if len({len(shape) for shape in shapes}) > 1:
        raise Refused("has Concat of shapes that do not fit each other")
    joined = []
    for place, dims in enumerate(zip(*shapes, strict=True)):
        if place == axis:
            joined.append(Dim(sum(dim.size for dim in dims), all(dim.exact for dim in dims)))
        else:
            joined.append(max(dims, key=lambda dim: (dim.size, not dim.exact)))
    return [Value(tuple(joined), any(each.text for each in node.inputs))]


def reshape(node: Node) -> list[Value]:
    value, target = node.inputs[0], node.constant(1)
    if any(size < -1 for size in target) or target.count(-1) > 1:
        raise Refused(f"has Reshape to {list(target)}")
    dims = []
    for place, size in enumerate(target):
        if size == 0 and not node.attributes.get("allowzero", 0):
            if place >= len(value.shape):
                raise Refused(f"has Reshape to {list(target)}")
            dims.append(value.shape[place])
        else:
            dims.append(Dim(max(size, 0)))
    if -1 in target:
        rest = math.prod(dim.size for place, dim in enumerate(dims) if target[place] != -1)
        fixed = value.exact and all(dim.exact for dim in dims)
        dims[target.index(-1)] = Dim(value.elements // max(rest, 1), fixed)
    return [Value(tuple(dims), value.text)]


def flatten(node: Node) -> list[Value]:
    shape, axis = node.inputs[0].shape, node.attributes.get("axis", 1)
    if not 0 <= axis <= len(shape):
        raise Refused(f"has Flatten with the axis {axis} of {len(shape)}")
    return [Value((product(shape[:axis]), product(shape[axis:])), node.inputs[0].text)]


def transpose(node: Node) -> list[Value]:
    shape = node.inputs[0].shape
    order = list(node.attributes.get("perm", range(len(shape))[::-1]))
    if sorted(order) != list(range(len(shape))):
        raise Refused(f"has Transpose in the order {order}")
    return [Value(tuple(shape[place] for place in order), node.inputs[0].text)]


def matmul(node: Node) -> list[Value]:
    left, right = (each.shape for each in node.inputs)
    if len(left) != 2 or len(right) != 2:
        raise Refused("has MatMul of inputs that are not two matrices")
    found = Value((left[0], right[1]))
    node.work = checked(found, node.op).elements * max(left[1].size, right[0].size)
    return [found]


def top_k(node: Node) -> list[Value]:
    shape = node.inputs[0].shape
    axis, k = axis_of(node.attributes.get("axis", -1), len(shape), node.op), node.constant(1, most=1)[0]
    if not 0 < k <= shape[axis].size:
        raise Refused(f"has TopK of {k} among {shape[axis].size}")
    node.work = 20 * node.inputs[0].elements
    found = Value((*shape[:axis], Dim(k), *shape[axis + 1 :]))
    return [found, found]


def shape_of(node: Node) -> list[Value]:
    shape = node.inputs[0].shape
    return [Value((Dim(len(shape)),), shape_of=shape)]


def constant_of_shape(node: Node) -> list[Value]:
    """ConstantOfShape is allowed only with the shape of another value: an arbitrary shape could have any size."""
    shape = node.inputs[0].shape_of
    if shape is None:
        raise Refused("has ConstantOfShape of a shape that is not another value's")
    return [Value(shape)]


def pick_columns(node: Node) -> list[Value]:
    """ArrayFeatureExtractor: elements of the last axis."""
    value, places = node.inputs
    if not value.shape:
        raise Refused("has ArrayFeatureExtractor of a single number")
    lead = value.shape[:-1] if len(value.shape) > 1 else (Dim(1),)
    return [Value((*lead, product(places.shape)), value.text)]


# The body of a Scan that converters write for the distances of nearest neighbors; no other loop is allowed.
DISTANCES = (("Sub", "ReduceSumSquare"), ("Sub", "Abs", "ReduceSum"))


def distances(node: Node) -> list[Value]:
    """Scan, only in this form: the distance of each row of the second input from all rows of the first."""
    points, rows = (each.shape for each in node.inputs)
    if len(points) != 2 or len(rows) != 2 or node.attributes["num_scan_inputs"] != 1:
        raise Refused("has a Scan that is not the distance of rows")
    _check_distance(node.attributes["body"])
    node.work = 4 * rows[0].size * points[0].size * max(points[1].size, rows[1].size)
    checked(Value(points), node.op)
    return [Value(points), Value((rows[0], points[0]))]


def _check_distance(body: Parsed) -> None:
    """Checks a body, a parsed graph: Identity of the points, then differences, summed by row."""
    nodes, inputs, outputs = (body.get(part, []) for part in ("node", "input", "output"))
    operators = tuple(str(each.get("op_type")) for each in nodes)
    names = [each.get("name") for each in (*inputs, *outputs)]
    if len(inputs) != 2 or len(outputs) != 2 or len(set(names)) != 4 or len(nodes) < 4:
        raise Refused("has a Scan that is not the distance of rows")
    if operators[:1] + operators[-1:] != ("Identity", "Identity") or operators[1:-1] not in DISTANCES:
        raise Refused(f"has a Scan of {', '.join(operators)[:100]}")
    constants = [each.get("name") for each in body.get("initializer", [])]
    made = names[:2]
    for place, each in enumerate(nodes):
        wanted = [names[0]] if place == 0 else names[:2] if place == 1 else made[-1:]
        given = each.get("input", [])
        if operators[place] == "ReduceSum" and constants and given[1:] == constants:
            given = given[:1]
        last = {0: names[2], len(nodes) - 1: names[3]}
        output = each.get("output", [])
        if given != wanted or len(output) != 1 or output[0] in made or output[0] != last.get(place, output[0]):
            raise Refused("has a Scan that is not the distance of rows")
        made.append(output[0])
