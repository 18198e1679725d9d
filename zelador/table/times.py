"""Times in a column of a table: ISO 8601, dates with dots, dashes or slashes, and epochs by their size."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import timezone, tzinfo

from zelador.dates import moment_of
from zelador.errors import InvalidInput
from zelador.table.numbers import PLAIN, Cell

CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?", re.ASCII)
UNITS = ((1e17, 1e-6), (1e14, 1e-3), (1e11, 1.0), (1e8, 1_000.0))  # of a number by its size: ns, µs, ms, s
MAX_EPOCH = 1e19


def times_of(cells: Sequence[Cell], zone: tzinfo = timezone.utc) -> tuple[list[int], bool]:
    """Milliseconds since 1970 UTC for each cell, and whether they are calendar times.

    Small numbers only order the rows. A time without a zone is in `zone`. Of 31/12/2026 and 12/31/2026, the order of
    day and month is the one that fits all cells. Raises InvalidInput for a cell that is not a time,
    or if both orders fit.
    """
    texts = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    if (numbers := _numbers(texts)) is not None:
        largest = max(map(abs, numbers), default=0.0)
        factor = next((factor for least, factor in UNITS if largest >= least), None)
        return [round(value * (factor or 1_000.0)) for value in numbers], factor is not None
    read = [_dates(texts, day_first, zone) for day_first in (True, False)]
    known = [each for each in read if isinstance(each, list)]
    if not known:
        odd = next((each for each in read if not isinstance(each, list)), None)
        raise InvalidInput(f"{odd!r} is not a time such as 2026-12-31T23:59:59Z or 1798761599")
    if len(known) == 2 and known[0] != known[1]:
        raise InvalidInput(f"{texts[0]!r} can be day and month or month and day; write 2026-12-31 instead")
    return known[0], True


def looks_like_time(text: str) -> bool:
    """A date, or a time of day. A plain number does not count, because most numbers are not times."""
    return bool(CLOCK.fullmatch(text)) or (
        not PLAIN.fullmatch(text) and any(moment_of(text, day_first) is not None for day_first in (True, False))
    )


def milliseconds(cell: Cell) -> int | None:
    """One point in time; None if the cell is not a time, or day and month are ambiguous."""
    try:
        found, calendar = times_of([cell])
    except InvalidInput:
        return None
    return found[0] if calendar else None


def _numbers(cells: Sequence[Cell]) -> list[float] | None:
    """The cells as numbers; None if one of them is not a number."""
    found: list[float] = []
    for cell in cells:
        if isinstance(cell, bool) or cell is None or (isinstance(cell, str) and not PLAIN.fullmatch(cell)):
            return None
        try:
            value = float(cell)
        except OverflowError:
            return None
        if not math.isfinite(value) or abs(value) >= MAX_EPOCH:
            return None
        found.append(value)
    return found


def _dates(cells: Sequence[Cell], day_first: bool, zone: tzinfo) -> list[int] | Cell:
    """The cells as dates, or the first cell that is not a date."""
    found: list[int] = []
    for cell in cells:
        moment = moment_of(cell, day_first, zone) if isinstance(cell, str) else None
        if moment is None:
            return "an empty cell" if cell in (None, "") else cell
        found.append(moment)
    return found
