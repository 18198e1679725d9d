"""Where in a message the fault is because of which it cannot be read as JSON. Pure."""

from __future__ import annotations

import re

import msgspec

from zelador.decode import not_numbers
from zelador.decode.json_reader import ERRORS, OUT_OF_RANGE

POSITION = re.compile(r"\(byte (\d+)\)$")
AFTER = "trailing characters"  # of this fault, msgspec names the byte behind the first one

LONG = 300  # digits; a shorter number without an exponent is never too large
# A string, or a number outside of strings. Possessive, so that a hostile message takes linear time.
_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*+"?|-?[0-9][0-9.eE+-]*+', re.DOTALL)

_decode = msgspec.json.Decoder().decode


def fault_in(payload: bytes, is_whole: bool = True) -> tuple[int, int] | None:
    """The first byte of the fault and the byte behind it; None if it has none, or its place is not known.

    Of a message that ends too soon, it is the last byte. `is_whole`: the message was not cut after it was received.
    """
    changed = payload
    error = _error(payload)
    if error is not None and not isinstance(error, RecursionError) and (read := not_numbers.replaced(payload)):
        changed, error = read, _error(read)  # NaN is not a fault: it is read, and something else may be
    if error is None:
        return None
    if isinstance(error, UnicodeDecodeError):
        return _not_text(payload)
    text = str(error)
    if OUT_OF_RANGE in text:
        return _too_large(payload)
    if found := POSITION.search(text):
        at = int(found[1]) - (AFTER in text)
        at = len(not_numbers.restored(changed[:at])) if changed is not payload else at
        if not is_whole and at >= len(payload):
            return None
        return _character(payload, at)
    return _character(payload, len(payload)) if "truncated" in text and is_whole else None


def _error(payload: bytes) -> Exception | None:
    try:
        _decode(payload)
    except ERRORS as error:
        return error
    return None


def _not_text(payload: bytes) -> tuple[int, int] | None:
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        return error.start, error.end
    return None


def _too_large(payload: bytes) -> tuple[int, int] | None:
    """The first number that cannot be held."""
    for found in _NUMBER.finditer(payload):
        token = found[0]
        if token[:1] != b'"' and (len(token) > LONG or b"e" in token.lower()) and OUT_OF_RANGE in str(_error(token)):
            return found.span()
    return None


def _character(payload: bytes, at: int) -> tuple[int, int] | None:
    """The character at a byte, or the last one."""
    if not payload.strip():
        return None
    first = min(at, len(payload) - 1)
    while first > 0 and payload[first] & 0xC0 == 0x80:
        first -= 1
    end = first + 1
    while end < len(payload) and end - first < 4 and payload[first] >= 0xC0 and payload[end] & 0xC0 == 0x80:
        end += 1
    return first, end
