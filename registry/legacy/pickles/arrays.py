"""Arrays that joblib stores between the opcodes of a pickle, and the dtypes that determine their size in bytes."""

from __future__ import annotations

import math
import re
from typing import Any

from registry.legacy.pickles.values import Instance, Mapping, Name, Untraceable

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
DTYPE = "numpy.dtype"
SUBCLASSES = frozenset({"numpy.ndarray", "numpy.matrix"})
STATE = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"})
PLAIN = re.compile(r"[<>|=]?(?:[biufc](\d{1,2})|([SUVO])(\d{1,9})?|[mM](8)|\?)")
WITHOUT_OBJECTS = 0x98  # flags that a dtype without objects may have: aligned, needs initialization or the interpreter
OBJECT_FLAGS = (63, 0)


def check_dtype(arguments: tuple[Any, ...]) -> re.Match[str]:
    """The argument of `numpy.dtype`: only a plain kind. It accepts much more, such as lists of fields."""
    kind, *rest = arguments or (None,)
    match = PLAIN.fullmatch(kind) if isinstance(kind, str) else None
    if match is None or [int(flag) if isinstance(flag, int) else None for flag in rest] != [0, 1]:
        raise Untraceable(
            f"a dtype made of {kind[:40]!r}" if isinstance(kind, str) else "a dtype that is not made from text"
        )
    return match


def built_size(dtype: Instance, state: Any) -> int | None:
    """Bytes of one element, from `state`; None for objects. Raises Untraceable.

    The state can contain anything (fields with objects, another size, flags), so all of it must match the kind, and it
    may be set only once.
    """
    if dtype.states or dtype.state:
        raise Untraceable("a dtype that is changed")
    return _checked(check_dtype(dtype.arguments), state)


def size_of(dtype: Any) -> int | None:
    """Bytes of one element; None for objects, which numpy stores as a separate pickle. Raises Untraceable."""
    if not isinstance(dtype, Instance) or dtype.name.text != DTYPE:
        raise Untraceable("a dtype that is not numpy's")
    return dtype.size if dtype.states else _checked(check_dtype(dtype.arguments), None)


def _checked(match: re.Match[str], state: Any) -> int | None:
    letter, count = match[2] or "", int(match[1] or match[3] or match[4] or (1 if match[0].endswith("?") else 0))
    size = count * 4 if letter == "U" else count
    if state is None:
        if letter in ("O", "V"):
            raise Untraceable("a dtype without its state")
        return size
    if not isinstance(state, tuple) or not 8 <= len(state) <= 9:
        raise Untraceable("a dtype with an unexpected state")
    _version, order, sub, names, fields, width, _alignment, flags = state[:8]
    if order not in ("<", ">", "|", "=") or sub is not None or not isinstance(flags, int):
        raise Untraceable("a dtype with an unexpected state")
    if len(state) == 9 and match[4] is None:
        raise Untraceable("a dtype with metadata")
    if letter == "O":
        if names is not None or fields is not None or flags & 0xFF not in OBJECT_FLAGS:
            raise Untraceable("a dtype of objects with an unexpected state")
        return None
    if flags & 0xFF & ~WITHOUT_OBJECTS or width not in ((size,) if letter in ("S", "U", "V") else (-1, size)):
        raise Untraceable("a dtype whose state contradicts its name")
    if names is not None or fields is not None:
        _check_fields(letter, size, names, fields)
    return size


def _check_fields(letter: str, size: int, names: Any, fields: Any) -> None:
    if letter != "V" or not isinstance(names, tuple) or not isinstance(fields, Mapping):
        raise Untraceable("a dtype with unexpected fields")
    if fields.computed or not all(isinstance(name, str) for name in names) or sorted(names) != sorted(fields.items):
        raise Untraceable("a dtype with unexpected fields")
    for entry in fields.items.values():
        if not isinstance(entry, tuple) or len(entry) not in (2, 3) or not isinstance(entry[1], int):
            raise Untraceable("a dtype with unexpected fields")
        inner = size_of(entry[0])
        if inner is None or entry[1] < 0 or entry[1] + inner > size:
            raise Untraceable("a dtype with objects in its fields")


def bytes_of(wrapper: Instance, left: int) -> int | None:
    """The size of the array that follows its wrapper in the file; None for objects. Raises Untraceable."""
    state, shape = wrapper.state, wrapper.state.get("shape")
    if wrapper.arguments or wrapper.states or set(state) - STATE:  # an attribute `read` would be called
        raise Untraceable("an array that is built in an unexpected way")
    subclass = state.get("subclass")
    if not isinstance(subclass, Name) or subclass.text not in SUBCLASSES:
        raise Untraceable("an array of an unexpected class")
    if state.get("order") not in ("C", "F", "K") or not isinstance(state.get("allow_mmap", False), bool):
        raise Untraceable("an array with an unexpected order")
    if not isinstance(shape, tuple) or len(shape) > 32:
        raise Untraceable("an array with an unexpected shape")
    if any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n < 1 << 31 for n in shape):
        raise Untraceable("an array with an unexpected shape")
    size = size_of(state.get("dtype"))
    if size is None:
        return None
    total = size * math.prod(shape)
    if size == 0 or total > left:
        raise Untraceable("an array beyond the end of the file")
    return total


def is_aligned(wrapper: Instance) -> bool:
    """True if a byte with the length of a padding precedes the array."""
    found = wrapper.state.get("numpy_array_alignment_bytes")
    if found is not None and (isinstance(found, bool) or not isinstance(found, int) or not 0 < found <= 64):
        raise Untraceable("an array with an unexpected alignment")
    return found is not None
