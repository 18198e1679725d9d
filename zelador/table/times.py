"""Times in the cells of a table: ISO 8601, day-first dates with dots, and epochs by their size."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from zelador.table.numbers import PLAIN, Cell

ISO = re.compile(r"\d{4}-?\d\d-?\d\d(?:[T ]\d{1,2}:?\d\d.*)?", re.ASCII)
CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?", re.ASCII)
DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,? (\d{1,2}):(\d\d)(?::(\d\d))?)?", re.ASCII)
SLASHED = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?: (\d{1,2}):(\d\d)(?::(\d\d))?)?", re.ASCII)
EPOCH_YEARS = (1971, 2200)
DIVISORS = (1_000.0, 1.0, 1e-3, 1e-6)  # milliseconds of an epoch in s, ms, µs, ns


def looks_like_time(text: str) -> bool:
    """A date, or a time of day. No plain number counts, because most numbers are none."""
    return bool(CLOCK.fullmatch(text)) or (not text.isdecimal() and milliseconds(text) is not None)


def milliseconds(cell: Cell) -> int | None:
    """Since 1970 UTC; None if the cell is no point in time. A time without a zone counts as UTC."""
    if cell is None or isinstance(cell, bool):
        return None
    if not isinstance(cell, str):
        return _epoch(cell)
    text = cell.strip()
    if PLAIN.fullmatch(text):
        return _epoch(float(text))
    try:
        if found := DOTTED.fullmatch(text):
            day, month, year, *clock = found.groups()
        elif found := SLASHED.fullmatch(text):
            year, month, day, *clock = found.groups()
        elif ISO.fullmatch(text):
            parsed = datetime.fromisoformat(text.replace(",", "."))
            return _of(parsed)
        else:
            return None
        hour, minute, second = (int(part or 0) for part in clock)
        return _of(datetime(int(year), int(month), int(day), hour, minute, second))
    except (ValueError, OverflowError):
        return None


def _of(moment: datetime) -> int:
    return round((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() * 1000)


def _epoch(value: float) -> int | None:
    """An epoch in the unit that puts it into this or the next century; None if no unit does."""
    low, high = (datetime(year, 1, 1, tzinfo=timezone.utc).timestamp() * 1000 for year in EPOCH_YEARS)
    for factor in DIVISORS:
        if low <= value * factor <= high:
            return round(value * factor)
    return None
