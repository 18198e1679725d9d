"""Reads values of a model's metadata, which comes from users and may be anything. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is a mapping, else {}."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Any]:
    """`value` if it is a list, else []."""
    return value if isinstance(value, list) else []
