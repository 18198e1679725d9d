"""Reads the metadata of models and the documents of runs, in which any value may be absent or damaged. Pure."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from registry.metadata import mapping

MAX_TEXT = 4_000  # characters of a text from the metadata

Pair = tuple[float, float]


def numbers(value: Any) -> dict[str, float]:
    """The finite numbers of a mapping: metadata may hold anything."""
    return {
        str(key): float(each)
        for key, each in mapping(value).items()
        if isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
    }


def text_of(value: Any) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def pair_of(value: Any) -> Pair | None:
    """An interval of the metadata, a list of two numbers."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value):
        low, high = float(value[0]), float(value[1])
        return (low, high) if math.isfinite(low) and math.isfinite(high) else None
    return None


def time_of(value: Any) -> str | None:
    """ISO 8601 text with a zone, if the value is one."""
    try:
        return value if isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None else None
    except ValueError:
        return None


def integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
