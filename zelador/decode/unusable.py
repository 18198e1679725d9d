"""The reason why a message is not a reading, in words for the person who looks at the quarantine."""

from __future__ import annotations

import msgspec

MAX_VALUE = 40  # characters of a value in a reason


class Unusable(Exception):
    """The input is not a valid reading. The message is the reason shown in the quarantine."""


class PassedOver(Exception):
    """The input is neither a reading nor an error: an empty message, a retained one of unknown age, or one that is not
    for Zelador."""


def described(value: object) -> str:
    """Describes a value for a reason: `text ("ON")`, `true`, `null`, `an object`."""
    match value:
        case str():
            shown = value if len(value) <= MAX_VALUE else value[:MAX_VALUE] + "…"
            return f'text ("{shown}")' if shown.isprintable() else "text with characters that cannot be printed"
        case None | bool():
            return msgspec.json.encode(value).decode()
        case int() | float():
            return f"the number {value!r}"[: MAX_VALUE + 11] if abs(value) < 10**MAX_VALUE else "a huge number"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return type(value).__name__
