"""Reads what numpy.save writes, without loading a pickle: texts, or where the pickle of an array of objects begins."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

MAGIC = b"\x93NUMPY"


def texts_in(data: bytes) -> list[str]:
    """The texts of an array of texts. Raises ValueError for anything else."""
    dtype, shape, begin = _header(data)
    if dtype.kind not in "US" or not dtype.itemsize or math.prod(shape) * dtype.itemsize != len(data) - begin:
        raise ValueError("it is not an array of texts")
    found = np.frombuffer(data, dtype, offset=begin).tolist()
    return [each.decode() if isinstance(each, bytes) else str(each) for each in found]


def pickle_in(data: bytes) -> bytes:
    """The pickle of an array of objects. Raises ValueError for any other array."""
    dtype, _, begin = _header(data)
    if not dtype.hasobject:
        raise ValueError("it is an array of numbers or texts by numpy.save")
    return data[begin:]


def _header(data: bytes) -> tuple[Any, tuple[int, ...], int]:
    """The type, the shape, and where the values begin. Raises ValueError."""
    file = io.BytesIO(data)
    try:
        major, _ = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
        read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - numpy parses it as Python, which raises many kinds
        raise ValueError(f"its header cannot be read ({type(error).__name__})") from None
    return dtype, tuple(shape), file.tell()
