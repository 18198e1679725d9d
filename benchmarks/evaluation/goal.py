"""A goal of the evaluation, and the result of a part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    what: str
    wanted: str
    found: str
    is_met: bool


Lines = Iterator[str | Goal]  # of the page, with goals among them


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
