"""Texts in a table that a spreadsheet would run as a formula (OWASP: CSV injection)."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a text that begins with one of these


def harmless(text: str) -> str:
    """Returns the text with an apostrophe before it if a spreadsheet would run it. Numbers do not change."""
    return f"'{text}" if text.startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
