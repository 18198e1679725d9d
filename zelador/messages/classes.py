"""Notes on classes of a data set that look odd. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zelador.printable import counted

LIKE_MISSING = frozenset(
    {"na", "n/a", "null", "none", "nil", "-", "--", "---", "?", "unknown", "unavailable", "missing", "undefined"}
)
MIN_NUMBERS = 15  # with so many different numbers, labels look like measurements
SHARE_OF_ROWS = 0.05
NAMED = 6


def class_notes(counts: Mapping[str, int]) -> Iterator[str]:
    """A note for each oddity: a class that looks like a missing value, or classes that differ only in spelling."""
    for label in counts:
        if label.casefold() in LIKE_MISSING:
            rows = counted(counts[label], "row")
            yield f"{label} is taken as a class ({rows}); --classes can leave it out if it means no label"
    alike: dict[str, list[str]] = {}
    for label in counts:
        alike.setdefault("".join(label.casefold().split()), []).append(label)
    for labels in alike.values():
        if len(labels) > 1:
            yield f"classes that differ by case or spaces alone: {named(labels)}"


def looks_like_regression(counts: Mapping[str, int]) -> bool:
    """Whether the labels are measurements: many different numbers for the number of rows, or numbers with decimals."""
    numbers = [label for label in counts if _is_number(label)]
    if len(numbers) < max(MIN_NUMBERS, 0.9 * len(counts)):
        return False
    fractions = sum("." in label for label in numbers)
    return fractions > len(numbers) / 2 or len(numbers) > SHARE_OF_ROWS * sum(counts.values())


def named(labels: list[str]) -> str:
    shown = ", ".join(map(repr, sorted(labels)[:NAMED]))
    return f"{shown} and {len(labels) - NAMED} more" if len(labels) > NAMED else shown


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return "_" not in label
