"""Numbers as people type them in a form. Pure."""

from __future__ import annotations

import re

from admin.console.language import Language


def number_of(language: Language, text: str) -> float | None:
    """Parses a number as people type it; None if it is invalid, or can be read in two ways.

    Point and comma both are decimal separators, and separators of thousands only as the language has them: before
    the decimal one, in groups of three. `1.234` in Portuguese, and `1,234` in English, may be a thousand or one.
    """
    cleaned = text.strip().replace("−", "-").replace(" ", "")
    group, decimal = (".", ",") if language.tag == "pt-BR" else (",", ".")
    if re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}(\{group}\d{{3}})+", cleaned):
        return None
    if group in cleaned and decimal in cleaned:
        if not re.fullmatch(rf"[+-]?\d{{1,3}}(\{group}\d{{3}})+\{decimal}\d*", cleaned):
            return None
        cleaned = cleaned.replace(group, "")
    cleaned = cleaned.replace(",", ".")
    try:
        found = float(cleaned)
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None
