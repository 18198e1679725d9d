"""How numbers are written: never alone, never more of them than is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Z = 1.959964  # of a 95 % interval


def number(value: object) -> float | None:
    """`value` if it is a finite number: metadata that people wrote may be anything."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def score(value: object) -> str:
    found = number(value)
    return "–" if found is None else f"{found:.4f}"


def share(part: float, whole: float) -> str:
    return "–" if not whole else f"{100 * part / whole:.1f} %"


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


def interval(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share. After E. B. Wilson, J. Am. Stat. Assoc. 22 (1927), 209–212."""
    share, square = hits / of, Z * Z
    centre = (share + square / (2 * of)) / (1 + square / of)
    half = Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, centre - half), min(1.0, centre + half)


def digest(text: object) -> str:
    """The first sixteen digits, in fours, as people compare them."""
    shown = str(text)[:16]
    return " ".join(shown[i : i + 4] for i in range(0, len(shown), 4))


def quoted(text: object) -> str:
    return f"“{text}”"


def when(at: object) -> str:
    return f"{str(at)[:16].replace('T', ' ')} UTC" if at else "unknown"


def counted(classes: Mapping[str, Any]) -> dict[str, int]:
    return {str(label): int(found) for label, value in classes.items() if (found := number(value)) is not None}
