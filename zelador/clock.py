"""The present time, in the two forms that we store: milliseconds since 1970 UTC, and ISO 8601."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def now_iso(after_s: float = 0.0) -> str:
    """ISO 8601 in UTC with milliseconds, so that text order is time order; `after_s` seconds from now."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=after_s)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_iso_second(after_s: float = 0.0) -> str:
    """ISO 8601 in UTC like `now_iso`, without the fraction of the second."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=after_s)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
