"""Values in a graph before it runs: an upper bound of each shape when ROWS rows are classified."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

ROWS = 1_000  # number of rows that the bounds are for; the API's limit for one request
MAX_ELEMENTS = 1 << 26  # of one value: 256 MiB in single precision
MAX_TEXTS = 1 << 20  # of one value


class Refused(ValueError):
    """No converter of the trainer writes such a graph. The message continues a sentence that starts with `it`."""


@dataclass(frozen=True, slots=True)
class Dim:
    """A dimension. `exact`: always this size. Otherwise at most this size: it grows with the rows."""

    size: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Value:
    """`constant`: the elements, if they are a short list of integers. `shape_of`: the value whose shape this is."""

    shape: tuple[Dim, ...]
    text: bool = False
    constant: tuple[int, ...] | None = None
    shape_of: tuple[Dim, ...] | None = None

    @property
    def elements(self) -> int:
        return math.prod(dim.size for dim in self.shape)

    @property
    def exact(self) -> bool:
        return all(dim.exact for dim in self.shape)


@dataclass(slots=True)
class Node:
    """An operator in a graph. `work` is its computation in addition to writing its outputs, `scratch` the number of
    additional elements in memory; its rule sets both."""

    op: str
    attributes: dict[str, Any]
    inputs: list[Value]
    outputs: int
    work: int = 0
    scratch: int = 0

    def constant(self, position: int, most: int = 16) -> tuple[int, ...]:
        """An input that must be a short list of integers from the file."""
        if position >= len(self.inputs) or (found := self.inputs[position].constant) is None or len(found) > most:
            raise Refused(f"has {self.op} with a computed input {position}")
        return found


def checked(value: Value, what: str) -> Value:
    if value.elements > (MAX_TEXTS if value.text else MAX_ELEMENTS):
        raise Refused(f"would make {value.elements:,} elements of {ROWS:,} rows ({what})")
    return value


def exact_size(dim: Dim, what: str) -> int:
    if not dim.exact:
        raise Refused(f"has {what} whose width depends on the rows")
    return dim.size


def axis_of(axis: int, rank: int, what: str) -> int:
    if not -rank <= axis < rank:
        raise Refused(f"has {what} with the axis {axis} of {rank}")
    return axis % rank


def broadcast(shapes: Sequence[tuple[Dim, ...]], what: str) -> tuple[Dim, ...]:
    rank = max(map(len, shapes))
    found = []
    for place in range(1, rank + 1):
        dims = [shape[-place] for shape in shapes if len(shape) >= place]
        wide = {dim.size for dim in dims if dim.exact and dim.size != 1}
        if len(wide) > 1:
            raise Refused(f"has {what} of shapes that do not fit each other")
        loose = [dim.size for dim in dims if not dim.exact]
        found.append(Dim(wide.pop()) if wide else Dim(max(loose), False) if loose else Dim(1))
    return tuple(reversed(found))


def product(dims: Iterable[Dim]) -> Dim:
    dims = list(dims)
    return Dim(math.prod(dim.size for dim in dims), all(dim.exact for dim in dims))
