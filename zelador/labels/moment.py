"""The times of a label as people and devices write them. Pure."""

from __future__ import annotations

from zelador.decode.moments import Moments
from zelador.decode.unusable import Unusable
from zelador.errors import InvalidInput
from zelador.settings import Settings

ANY_S = 1e12  # no limit: an odd time is accepted with a finding


def moment(text: str | float, settings: Settings, name: str) -> int:
    """Milliseconds since 1970 UTC. A time without a zone is in ZELADOR_TIME_ZONE. Raises InvalidInput naming `name`."""
    value: object = text.strip() if isinstance(text, str) else text
    try:
        return Moments(settings.time_zone, ANY_S, ANY_S).of(value, 0)
    except Unusable as error:
        raise InvalidInput(f"{name}: {str(error).removeprefix('ts is ')}") from None
