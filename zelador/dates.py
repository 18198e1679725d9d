"""Dates and times as programs write them, for messages and tables alike. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timezone, tzinfo

MAX_LENGTH = 64  # characters
ISO = re.compile(r"\d{4}-?\d\d-?\d\d(?:[T ]\d\d.*)?", re.ASCII)
UTC = re.compile(r"\s*(?:UTC|GMT|Z|[+]0000 UTC)", re.ASCII)
CLOCK = r"(?:(?:[T,]? ?|, ?)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?)?)?"
NUMBERS = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})" + CLOCK, re.ASCII)  # 24.11.2026 10:00
DAY_NAMED = re.compile(r"(?:[A-Za-z]{3,9},? )?(\d{1,2})[ -]([A-Za-z]{3,9})[ -](\d{4})" + CLOCK, re.ASCII)  # 24 Nov 2026
MONTH_NAMED = re.compile(r"(?:[A-Za-z]{3,9},? )?([A-Za-z]{3,9}) (\d{1,2}),? (\d{4})" + CLOCK, re.ASCII)  # Nov 24, 2026
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def moment_of(text: str, day_first: bool, zone: tzinfo = timezone.utc) -> int | None:
    """Milliseconds since 1970 UTC; None if it is not a date. A time without a zone is in `zone`.

    `day_first`: 3/4/2026 is April 3, not March 4.
    """
    if len(text) > MAX_LENGTH:
        return None
    try:
        if ISO.fullmatch(text):
            try:
                return milliseconds(datetime.fromisoformat(text.replace(",", ".")), zone)
            except ValueError:
                pass  # the text may end in UTC
        found = UTC.search(text)
        if found is not None and found.end() == len(text):
            text, zone = text[: found.start()], timezone.utc
            if ISO.fullmatch(text):
                return milliseconds(datetime.fromisoformat(text.replace(",", ".")), zone)
        return _written(text, day_first, zone)
    except (ValueError, OverflowError):
        return None


def unambiguous(text: str, zone: tzinfo) -> int | None:
    """Like `moment_of`, but returns None for a date whose day and month are ambiguous."""
    found = moment_of(text, True, zone)
    return found if found == moment_of(text, False, zone) else None


def _written(text: str, day_first: bool, zone: tzinfo) -> int | None:
    if found := NUMBERS.fullmatch(text):
        first, _, second, third, *clock = found.groups()
        if len(first) == 4:
            year, month, day = int(first), int(second), int(third)
        elif len(third) == 4:
            year, (day, month) = int(third), (int(first), int(second)) if day_first else (int(second), int(first))
        else:
            return None
    elif found := DAY_NAMED.fullmatch(text):
        named_day, name, named_year, *clock = found.groups()
        year, month, day = int(named_year), _month(name), int(named_day)
    elif found := MONTH_NAMED.fullmatch(text):
        name, named_day, named_year, *clock = found.groups()
        year, month, day = int(named_year), _month(name), int(named_day)
    else:
        return None
    hour, minute, second_of = (int(part or 0) for part in clock[:3])
    if clock[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if clock[4] in "pP" else 0)
    micro = int((clock[3] or "0").ljust(6, "0")[:6])
    return milliseconds(datetime(year, month, day, hour, minute, second_of, micro), zone)


def _month(name: str) -> int:
    """Raises ValueError."""
    return MONTHS.index(name[:3].lower()) + 1


def milliseconds(moment: datetime, zone: tzinfo) -> int:
    """Milliseconds since 1970 UTC. A time without a zone is in `zone`."""
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1_000)
