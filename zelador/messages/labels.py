"""The text of a label: one rule for JSON messages, tables, the API, replays and labels set by hand."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_LABEL = 128  # characters
CACHED_LABELS = 1_024
WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d*)\.0*", re.ASCII)  # 1.0, as pandas writes 1 in a column with gaps
BOOLEANS = {"true": "1", "false": "0"}


def label_text(value: str | float | bool | None) -> str | None:
    """The label's text, or None if `value` means that there is no label (None, NaN, an empty or blank text).

    A boolean counts as 0 or 1: true, 1, 1.0, "True" and "1.0" are all the label "1". Blanks around a text are removed;
    a code such as "007" or "1.50" stays as it is. A text keeps its case.
    Raises ValueError if the text is longer than MAX_LABEL characters or has characters that cannot be printed.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if len(value) <= MAX_LABEL:
            return _text(value)
        value = value.strip()  # a longer text is not worth a place in the cache
        return _checked(value)
    return _number(value)


@lru_cache(maxsize=CACHED_LABELS)
def _text(value: str) -> str | None:
    text = value.strip()
    lower = text.lower()
    if not text or lower == "nan":
        return None
    if lower in BOOLEANS:
        return BOOLEANS[lower]
    return str(int(text.partition(".")[0])) if WHOLE.fullmatch(text) else _checked(text)


def _number(value: float | bool) -> str | None:
    if isinstance(value, int):  # also a boolean
        try:
            return _checked(str(int(value)))
        except ValueError:  # Python refuses to write more than some thousand digits
            raise _too_long() from None
    return _text(repr(value))  # the same rule as for a text: 1.0 is "1", NaN is not a label


def _checked(text: str) -> str | None:
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)  # an accent typed as a second character is the same letter
    if not text:
        return None
    if len(text) > MAX_LABEL or not text.isprintable():
        raise _too_long()
    return text


def _too_long() -> ValueError:
    return ValueError(f"a label must have 1 to {MAX_LABEL} printable characters")
