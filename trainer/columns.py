"""Which columns of a table name the device and the time of a row, and what their cells mean."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from zelador.errors import InvalidInput

DEVICE_NAMES = ("device", "device_id", "machine", "machine_id")
TIME_NAMES = ("time", "timestamp", "ts", "date", "datetime")
NONE, ROW = "none", "row"
FORMATS = (  # beside ISO 8601; day before month, or the other way around where only that fits
    ("%d/%m/%Y", "%m/%d/%Y"),
    ("%d.%m.%Y", "%m.%d.%Y"),
    ("%d-%m-%Y", "%m-%d-%Y"),
    ("%Y/%m/%d", "%Y/%m/%d"),
)
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
UNITS = ((1e17, 1e-6), (1e14, 1e-3), (1e11, 1.0), (1e8, 1_000.0))  # of a number by its size: ns, µs, ms, s

Times = NDArray[np.int64]


def choose(asked: str | None, guesses: Sequence[str], header: Sequence[str], taken: Collection[str]) -> str | None:
    """The column to take: `asked`, or the first of `guesses` in the header that is not `taken`. None: there is none.

    Raises InvalidInput for a column that is not there.
    """
    if asked == NONE:
        return None
    if asked is not None:
        if asked not in header:
            raise InvalidInput(f"there is no column {asked!r}; it has {', '.join(header)}")
        return asked
    known = {name.strip().lower(): name for name in reversed(header)}
    found = (known[guess] for guess in guesses if guess in known)
    return next((name for name in found if name not in taken), None)


def times_of(cells: Sequence[str]) -> tuple[Times, bool]:
    """Milliseconds for each cell, and whether they are of the calendar (a small number only orders the rows).

    Understands ISO 8601, dates such as 31/12/2026 23:59, and numbers: seconds to nanoseconds since 1970.
    Raises InvalidInput for a cell that is none of these.
    """
    if numbers := _numbers(cells):
        largest = max(map(abs, numbers))
        factor = next((factor for least, factor in UNITS if largest >= least), None)
        return np.array([round(value * (factor or 1_000.0)) for value in numbers], np.int64), factor is not None
    try:
        return np.array([_ms(datetime.fromisoformat(cell.strip())) for cell in cells], np.int64), True
    except ValueError:
        pass
    for pair in FORMATS:
        for clock in CLOCKS:
            read = [found for date in dict.fromkeys(pair) if (found := _formatted(cells, date + clock)) is not None]
            if len(read) == 2 and not np.array_equal(read[0], read[1]):
                raise InvalidInput(f"{cells[0]!r} can be day and month or month and day; write 2026-12-31 instead")
            if read:
                return read[0], True
    odd = next((cell for cell in cells if not _is_time(cell)), cells[0])
    raise InvalidInput(f"{odd!r} is not a time such as 2026-12-31T23:59:59Z or 1798761599")


def _numbers(cells: Sequence[str]) -> list[float]:
    """The cells as numbers; empty if one is none."""
    try:
        found = [float(cell) for cell in cells]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) and max(map(abs, found), default=0) < 1e19 else []


def _formatted(cells: Sequence[str], form: str) -> Times | None:
    try:
        return np.array([_ms(datetime.strptime(cell.strip(), form)) for cell in cells], np.int64)
    except ValueError:
        return None


def _is_time(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell.strip())
    except ValueError:
        return False
    return True


def _ms(moment: datetime) -> int:
    """A time without a zone counts as UTC."""
    return round((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp() * 1_000)
