"""Formats of numbers, times and labels on a card. Unknown values are "unknown" or "–"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Z = 1.959964  # of a 95 % interval


def number(value: object) -> float | None:
    """`value` if it is a finite number, else None: metadata comes from users and may be anything."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def score(value: object) -> str:
    found = number(value)
    return "–" if found is None else f"{found:.4f}"


def share(part: float, whole: float) -> str:
    return "–" if not whole else f"{100 * part / whole:.1f} %"


def percent(value: object) -> str:
    """A share between 0 and 1 as a percentage."""
    found = number(value)
    return "–" if found is None else f"{100 * found:.1f} %"


def count(value: object) -> str:
    found = number(value)
    return "unknown" if found is None else f"{found:,.0f}"


def short(value: object) -> str:
    found = number(value)
    return "–" if found is None else f"{found:.4g}".replace("-", "−")


def signed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def span(low: object, high: object) -> str:
    return "unknown" if number(low) is None or number(high) is None else f"{short(low)} – {short(high)}"


def size(count_of_bytes: int) -> str:
    for unit, scale in (("MB", 1_000_000), ("kB", 1_000)):
        if count_of_bytes >= scale:
            return f"{count_of_bytes / scale:,.1f} {unit}"
    return f"{count_of_bytes} bytes"


def interval(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a proportion. E. B. Wilson, J. Am. Stat. Assoc. 22 (1927), 209–212."""
    rate, square = hits / total, Z * Z
    center = (rate + square / (2 * total)) / (1 + square / total)
    half = Z * math.sqrt(rate * (1 - rate) / total + square / (4 * total * total)) / (1 + square / total)
    return max(0.0, center - half), min(1.0, center + half)


def digest(text: object) -> str:
    """The first sixteen digits in groups of four, for comparison by eye."""
    shown = str(text)[:16]
    return " ".join(shown[i : i + 4] for i in range(0, len(shown), 4))


def quoted(text: object) -> str:
    return f"“{text}”"


def utc_minute(at: object) -> str:
    return f"{str(at)[:16].replace('T', ' ')} UTC" if at else "unknown"


def counted(classes: Mapping[str, Any]) -> dict[str, int]:
    return {str(label): int(found) for label, value in classes.items() if (found := number(value)) is not None}
