"""Numbers as people type them in a form. Pure."""

from __future__ import annotations

import re

from admin.console.catalog import mark as _
from admin.console.language import Language

TWO_WAYS = _("This can be read in two ways: write %(whole)s or %(broken)s.")


def number_of(language: Language, text: str) -> float | None:
    """Parses a number as people type it; None if it is invalid, or can be read in two ways.

    Point and comma both are decimal separators, and separators of thousands only as the language has them: before
    the decimal one, in groups of three. `1.234` in Portuguese, and `1,234` in English, may be a thousand or one.
    """
    cleaned = text.strip().replace("−", "-").replace(" ", "")
    group, decimal = _separators(language)
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


def ways_of(language: Language, text: str) -> tuple[str, str] | None:
    """Returns how to write the two numbers that `text` may be: in whole, and with decimals; None if it is not two."""
    group, decimal = _separators(language)
    cleaned = text.strip().replace(" ", "")
    if not re.fullmatch(rf"[+−-]?[1-9]\d{{0,2}}\{group}\d{{3}}", cleaned):
        return None
    return cleaned.replace(group, ""), cleaned.replace(group, decimal)


def two_ways(language: Language, text: str) -> str:
    """Says how to write a number that can be read in two ways; empty for any other text."""
    ways = ways_of(language, text)
    return language.text(TWO_WAYS, whole=ways[0], broken=ways[1]) if ways else ""


def _separators(language: Language) -> tuple[str, str]:
    """Returns the separators of thousands and of decimals."""
    return (".", ",") if language.tag == "pt-BR" else (",", ".")
