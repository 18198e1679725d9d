"""When a reading was measured: ISO 8601 with or without a zone, or an epoch in s, ms, µs or ns. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from zelador.dates import milliseconds, unambiguous
from zelador.decode.unusable import Unusable, described
from zelador.messages import iso

# An epoch of today has 10 digits in seconds, 13 in ms, 16 in µs, 19 in ns. Seconds below 1e11 reach the year 5138.
MS_FROM, US_FROM, NS_FROM = 1e11, 1e14, 1e17
LARGEST = 1e21
YEAR_2000 = 946_684_800_000  # ms since 1970 UTC
NUMBER = re.compile(r"[+-]?\d{9,20}(?:\.\d{0,9})?", re.ASCII)  # fewer digits: a date such as 20261124
SHORT = re.compile(r"[+-]?\d{1,7}", re.ASCII)  # a clock that is not set; 20261124 is a date
FORMS = "ISO 8601 (2026-11-24T10:00:00Z), or an epoch in s, ms, µs or ns"
NO_CLOCK = "the device's clock is not set, or it sends the time since its start; without ts, the time of receipt counts"


class Moments:
    """Reads times, and refuses impossible ones, from a device whose clock is wrong or that has no clock."""

    def __init__(self, zone: str, max_ahead_s: float, max_behind_s: float) -> None:
        """`zone` is the IANA name for times without one."""
        self._zone = timezone.utc if zone == "UTC" else ZoneInfo(zone)
        self._ahead_s, self._behind_s = max_ahead_s, max_behind_s
        self._ahead_ms, self._behind_ms = -max_ahead_s * 1000, max_behind_s * 1000

    def of(self, ts: object, received_at: int) -> int:
        """Milliseconds since 1970 UTC. Raises Unusable."""
        try:
            if ts.__class__ is str and len(ts) == 24 and ts[16] == ":" and ts[19] == "." and ts[23] == "Z":
                moment = _second(ts[:19]) + _millisecond(ts[20:23])  # nearly always 2026-11-24T10:00:00.123Z
            elif ts.__class__ is str and ts[4:5] == "-" and ts.isascii() and ts.isprintable():
                moment = self._iso(ts)
            else:
                moment = self._other(ts)
        except (ValueError, OverflowError):
            raise Unusable(f"ts is {described(ts)}; it must be {FORMS}") from None
        if self._behind_ms >= received_at - moment >= self._ahead_ms:
            return moment
        raise Unusable(self._wrong(ts, moment, received_at))

    def _iso(self, ts: str) -> int:
        """A time such as `2026-…`. Raises ValueError."""
        try:
            parsed = datetime.fromisoformat(ts)
        except ValueError:
            if (moment := unambiguous(ts, self._zone)) is None:  # it may end in UTC
                raise
            return moment
        return milliseconds(parsed, self._zone)

    def _other(self, ts: object) -> int:
        """A time that is not `2026-…`."""
        if not isinstance(ts, str):
            return _epoch(ts)
        if not (ts.isascii() and ts.isprintable()):  # fromisoformat ignores everything after a NUL
            raise ValueError
        if NUMBER.fullmatch(ts):
            return _epoch(float(ts) if "." in ts else int(ts))
        if (moment := unambiguous(ts, self._zone)) is not None:
            return moment
        if SHORT.fullmatch(ts):
            return _epoch(int(ts))
        return milliseconds(datetime.fromisoformat(ts), self._zone)

    def _wrong(self, ts: object, moment: int, received_at: int) -> str:
        """The reason why a time is refused: it is in the future, or too far back."""
        if moment > received_at:
            return (
                f"ts is {_shown(moment)}, more than {_span(self._ahead_s)} ahead of the server's clock "
                f"(ZELADOR_INGEST__MAX_AHEAD_S)"
            )
        if moment < YEAR_2000:
            return f"ts is {described(ts)}, which is before the year 2000: {NO_CLOCK}"
        return (
            f"ts is {_shown(moment)}, more than {_span(self._behind_s)} before it was received: {NO_CLOCK}, "
            f"or raise ZELADOR_INGEST__MAX_BEHIND_S for old readings"
        )


@lru_cache(maxsize=1024)  # many live readings have the same second
def _second(text: str) -> int:
    """Milliseconds since 1970 UTC of a time without fraction and zone, such as `2026-11-24T10:00:00`."""
    if text[4] != "-" or not (text.isascii() and text.isprintable()):
        raise ValueError
    return round(datetime.fromisoformat(text + "Z").timestamp()) * 1000


@lru_cache(maxsize=1000)
def _millisecond(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError
    return int(text)


def _epoch(ts: object) -> int:
    if isinstance(ts, bool) or not isinstance(ts, int | float) or not abs(ts) < LARGEST:
        raise ValueError
    size = abs(ts)
    if size < MS_FROM:
        return ts * 1000 if isinstance(ts, int) else round(ts * 1000)
    per_ms = 1 if size < US_FROM else 1_000 if size < NS_FROM else 1_000_000
    return ts // per_ms if isinstance(ts, int) else round(ts / per_ms)


def _shown(moment: int) -> str:
    try:
        return iso(moment)
    except (ValueError, OverflowError, OSError):
        return "after the year 9999" if moment > 0 else "before the year 1"


def _span(seconds: float) -> str:
    return f"{timedelta(seconds=seconds).days} days" if seconds >= 2 * 86_400 else f"{seconds:g} s"
