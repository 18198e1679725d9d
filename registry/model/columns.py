"""Packs dicts with the same keys as columns, which halves their compressed size: similar values are adjacent."""

from __future__ import annotations

from typing import Any

# {"shapes": [[key, …] or null, …], "which": [shape of each value], "columns": [[packed column, …] or [value, …]]}
Packed = dict[str, Any]


def pack(values: list[Any]) -> Packed:
    """Packs dicts with the same keys in the same order as columns, recursively. Other values stay as they are."""
    shapes: dict[tuple[str, ...] | None, int] = {}
    members: list[list[Any]] = []
    which = []
    for value in values:
        shape = tuple(value) if isinstance(value, dict) and value else None
        number = shapes.setdefault(shape, len(shapes))
        if number == len(members):
            members.append([])
        members[number].append(value)
        which.append(number)
    columns = [
        members[number] if shape is None else [pack([value[key] for value in members[number]]) for key in shape]
        for shape, number in shapes.items()
    ]
    return {"shapes": list(shapes), "which": which if len(shapes) > 1 else len(which), "columns": columns}


def unpack(packed: Packed) -> list[Any]:
    """The values that were packed. Raises ValueError, KeyError, IndexError or TypeError for invalid data."""
    parts: list[list[Any]] = []
    for shape, columns in zip(packed["shapes"], packed["columns"], strict=True):
        if shape is None:
            parts.append(columns)
        else:
            rows = zip(*map(unpack, columns), strict=True)
            parts.append([dict(zip(shape, row, strict=True)) for row in rows])
    which = packed["which"]
    if isinstance(which, int):
        return parts[0] if parts else []
    sources = [iter(part) for part in parts]
    return [next(sources[number]) for number in which]
