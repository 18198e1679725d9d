"""The times of a label as people and devices write them. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from zelador.decode.moments import Moments
from zelador.decode.unusable import Unusable
from zelador.errors import InvalidInput
from zelador.settings import Settings

LOCAL = re.compile(r".*[T ](\d{1,2}):(\d\d)(?::\d\d(?:[.,]\d+)?)?", re.ASCII)  # without a zone
YEAR_9999 = 253_370_764_800_000
ANY_S = 1e12  # no limit: an odd time is accepted with a finding


def moment(text: str | float, settings: Settings, name: str) -> int:
    """Milliseconds since 1970 UTC. A time without a zone is in ZELADOR_TIME_ZONE. Raises InvalidInput naming `name`."""
    value: object = text.strip() if isinstance(text, str) else text
    try:
        found = Moments(settings.time_zone, ANY_S, ANY_S).of(value, 0)
    except Unusable as error:
        raise InvalidInput(f"{name}: {str(error).removeprefix('ts is ')}") from None
    if isinstance(value, str) and (why := changed_clock(value, found, settings.time_zone)) is not None:
        raise InvalidInput(f"{name}: {value[:40]} {why}")
    return found


def changed_clock(text: str, moment: int, zone: str) -> str | None:
    """Why a local time is not one moment: it is in the hour that the clock repeats or skips."""
    wall = LOCAL.fullmatch(text)
    if wall is None or int(wall[1]) > 23 or not 0 <= moment < YEAR_9999:
        return None
    local = datetime.fromtimestamp(moment / 1000, ZoneInfo(zone))
    offsets = [f"{local.replace(fold=fold):%z}" for fold in (0, 1)]
    if (int(wall[1]), int(wall[2])) != (local.hour, local.minute):
        return f"does not exist in {zone}: the clock skips it; write a time with its zone, such as {text}{offsets[0]}"
    if offsets[0] != offsets[1]:
        return f"exists twice in {zone}: write it with its zone, {text}{offsets[0]} or {text}{offsets[1]}"
    return None
