"""NaN and infinities, which JSON does not have and many devices send: as C's printf writes them, or as JavaScript does.

They are replaced by texts, so that the rest of the message can be read. `restored` gives back the bytes as they were.
"""

from __future__ import annotations

import re
import uuid

MARK = uuid.uuid4().hex  # no device can know it
# A string, or a token outside of strings. Possessive, so that a hostile message takes linear time.
_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*+"?|(?<![\w.+-])[+-]?(?:nan(?:\(\w{0,20}\))?|inf(?:inity)?)(?![\w.])', re.IGNORECASE | re.DOTALL
)
_MARKED = re.compile(b'"' + MARK.encode() + b'([^"]*)"')


def replaced(raw: bytes) -> bytes | None:
    """The message with each such token replaced by a text; None if it has no such token."""
    found = False

    def replace(match: re.Match[bytes]) -> bytes:
        nonlocal found
        token = match[0]
        if token[:1] == b'"':
            return token
        found = True
        return b'"' + MARK.encode() + token + b'"'

    changed = _TOKEN.sub(replace, raw)
    return changed if found else None


def restored(raw: bytes) -> bytes:
    return _MARKED.sub(rb"\1", raw)


def token(value: object) -> str | None:
    """The token that stood here (`nan`, `-inf`); None for any other value."""
    return value[len(MARK) :] if isinstance(value, str) and value.startswith(MARK) else None
