"""Turns a value of a message into a number, or says why that is not possible. Pure."""

from __future__ import annotations

import re
from typing import Any

from zelador.decode import not_numbers
from zelador.decode.profile import Profile, Source, find
from zelador.decode.unusable import Unusable, described
from zelador.units import conversion

NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)
WITH_UNIT = re.compile(rf"({NUMBER.pattern})\s*([°℃℉a-zA-Z%][^\d\s]{{0,9}})", re.ASCII)
COMMA = re.compile(r"[+-]?\d{1,40},\d{1,40}", re.ASCII)


def number(document: Any, value: object, feature: str, unit: str, source: Source, profile: Profile) -> float:
    """The value in the feature's unit. Raises Unusable."""
    if profile.text_numbers and isinstance(value, str) and (found := WITH_UNIT.fullmatch(value.strip())):
        return _converted(float(found[1]) * source.own_scale + source.own_offset, found[2], feature, unit)
    plain = _plain(value, feature, profile) * source.scale + source.offset
    if source.unit_at is not None:
        named = find(document, source.unit_at)
        if len(named) == 1 and isinstance(named[0], str):
            try:
                factor, offset = conversion(named[0], unit)
            except ValueError as error:
                raise Unusable(f"{feature}: {error}") from None
            return plain * factor + offset
    return plain


def _converted(value: float, named: str, feature: str, unit: str) -> float:
    """A number that came with its unit, such as `21.3 °C`, in the feature's unit. Raises Unusable."""
    try:
        factor, offset = conversion(named, unit)
    except ValueError as error:
        raise Unusable(f"{feature}: {error}") from None
    return value * factor + offset


def _plain(value: object, feature: str, profile: Profile) -> float:
    if isinstance(value, bool):
        word = profile.words.get("true" if value else "false")
    elif isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            raise Unusable(f"{feature} is not a finite number") from None
    elif isinstance(value, str):
        if (token := not_numbers.token(value)) is not None:
            raise Unusable(f"{feature} is {token}, a finite number is needed")
        text = value.strip()
        word = profile.words.get(text)
        if word is None:
            word = next((n for known, n in profile.words.items() if known.lower() == text.lower()), None)
        if word is None and profile.text_numbers and NUMBER.fullmatch(text):
            return float(text)
    else:
        word = None
    if word is not None:
        return word
    raise Unusable(f"{feature} is {described(value)}, a number is needed{_hint(value)}")


def _hint(value: object) -> str:
    """Names the setting with which the value would be accepted."""
    if isinstance(value, str) and COMMA.fullmatch(value.strip()):
        return " with a decimal point"
    if isinstance(value, str):
        setting = "text_numbers" if NUMBER.fullmatch(value.strip()) or WITH_UNIT.fullmatch(value.strip()) else "words"
        return f"; {setting} of a device profile can read it (ZELADOR_PROFILES)"
    if isinstance(value, bool):
        return "; words of a device profile can read it (ZELADOR_PROFILES)"
    if isinstance(value, dict | list):
        return "; a device profile can take a path into it (ZELADOR_PROFILES)"
    return ""
