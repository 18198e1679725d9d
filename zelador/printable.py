"""Escapes untrusted text for display: no terminal control, and nothing that hides or reorders text.

Device ids, topics, labels, notes, reasons, names of keys, messages of servers: all external text is escaped before it
reaches a terminal. Pure functions; `command/terminal.py` applies them.
"""

from __future__ import annotations

import re
import shlex

# str.isprintable is false for controls, format characters (bidi, zero width, tags), surrogates and unusual spaces. It
# is true for these, although they are invisible: fillers, variation selectors, the braille blank.
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
SURROGATE = re.compile("[\ud800-\udfff]")


def counted(count: int, one: str, many: str = "") -> str:
    """The number with its noun, such as `1 reading` or `2 readings`. `many` is `one` with an s by default."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def is_safe(character: str) -> bool:
    return character.isprintable() and INVISIBLE.match(character) is None


def clean(value: object, keep: str = "") -> str:
    r"""The text with unsafe characters escaped (`\x1b`), except those in `keep`. None gives an empty text."""
    text = "" if value is None else str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if is_safe(each) or each in keep else _escaped(each) for each in text)


def clean_json(text: str) -> str:
    r"""An equal JSON document, with unsafe characters in its strings as `\uXXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if is_safe(each) or each == "\n" else _json_escaped(each) for each in text)


def without_surrogates(text: str) -> str:
    r"""An equal JSON document that can be encoded as UTF-8: a lone surrogate becomes `\uXXXX`."""
    return SURROGATE.sub(lambda found: _json_escaped(found[0]), text)


def shell_word(text: str) -> str:
    r"""One shell word, safe to copy from a terminal; uses `$'\u202e'` (bash, zsh) if necessary."""
    if all(map(is_safe, text)):
        return shlex.quote(text)
    return "$'" + "".join("\\" + each if each in "'\\" else _shell(each) for each in text) + "'"


def _shell(character: str) -> str:
    if is_safe(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _escaped(character: str) -> str:
    if not character.isprintable():
        return repr(character)[1:-1]
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
