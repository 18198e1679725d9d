"""A time in a request."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

DAY = timedelta(days=1)  # in every time zone these have a year from 1970 to 9999
FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc) + DAY
LAST = datetime(9999, 12, 31, tzinfo=timezone.utc) - DAY


def _shown(moment: datetime) -> datetime:
    if not FIRST <= moment <= LAST:
        raise ValueError("name a time from 1970 to 9999")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_shown)]
