"""Numbers in the cells of a table: decimal commas, thousands separators, and the words for a missing value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from zelador.errors import InvalidInput

Cell = str | float | bool | None  # an int is a float to the type checker

# What programs write for "no value". Compared in lower case.
MISSING_WORDS = frozenset(
    [
        "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "none", "nil", "missing", "unknown", "unavailable",
        "undefined", "-", "--", "---", "–", "—", "?", ".", "\\n", "#null!", "#num!", "#value!", "#div/0!", "#ref!",
        "#name?", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind", "-nan", "inf", "-inf", "+inf", "infinity", "-infinity",
        "n.a.", "n. a.", "n/d", "n.d.", "nd", "n/v", "n.v.", "s/d", "k.a.", "k. a.", "nat", "(null)", "<null>",
        "[null]", "(empty)", "(blank)", "empty", "not available", "no data", "nodata", "error", "err", "bad", "invalid",
        "offline", "*", "**", "***", "…", "...",
    ]
)  # fmt: skip
SHEET_ERROR = re.compile(r"#[\w¡/ ]{2,14}[!?]?")  # of a spreadsheet in any language: #NV, #WERT!, #¡DIV/0!
PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
COMMA = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?", re.ASCII)
GROUPS = r"[+-]?\d{1,3}(?:%s\d{3})+"
BY_COMMA = re.compile(GROUPS % "," + r"(?:\.\d*)?", re.ASCII)
BY_DOT = re.compile(GROUPS % r"\." + r"(?:,\d*)?", re.ASCII)
BY_SPACE = re.compile(GROUPS % "[ \u00a0\u202f'’]" + r"(?:[.,]\d*)?", re.ASCII)
SPACES = str.maketrans("", "", " \u00a0\u202f'’")
WITH_UNIT = re.compile(r"[+-]?\d[\d.,]*\s*([^\d\s.,][^\d]{0,10})")


@dataclass(frozen=True, slots=True)
class Style:
    """The decimal separator of a file's numbers, `.` or `,`. The other one may separate thousands."""

    decimal: str = "."


def is_missing(text: str) -> bool:
    return not text or text.lower() in MISSING_WORDS or SHEET_ERROR.fullmatch(text) is not None


def number(cell: Cell, style: Style) -> float:
    """The cell as a number; NaN for a missing value. Raises ValueError, with the reason, if it is something else."""
    if cell is None:
        return math.nan
    if isinstance(cell, bool):
        raise ValueError(f"{str(cell).lower()} is not a number; write 1 and 0")
    if not isinstance(cell, str):
        try:
            return float(cell) if math.isfinite(cell) else math.nan
        except OverflowError:
            return math.nan
    text = cell.replace("−", "-")
    if style.decimal == "." and PLAIN.fullmatch(text):
        return _finite(text)
    if is_missing(text):
        return math.nan
    if BY_SPACE.fullmatch(text):
        text = text.translate(SPACES)
    if style.decimal == ",":
        if BY_DOT.fullmatch(text):
            text = text.replace(".", "")
        text = text.replace(",", ".") if COMMA.fullmatch(text) else text
    elif BY_COMMA.fullmatch(text):
        text = text.replace(",", "")
    if PLAIN.fullmatch(text):
        return _finite(text)
    raise ValueError(_why(cell))


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else math.nan


def _why(text: str) -> str:
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    if found := WITH_UNIT.fullmatch(text):
        return f"{shown!r} has a unit ({found[1].strip()}); a feature must be a plain number"
    return f"{shown!r} is not a number, but a feature must be one"


@dataclass(slots=True)
class Votes:
    """Evidence for the decimal separator of a file: the first cell, with its line, that shows each."""

    source: str
    comma: tuple[int, str] | None = None
    dot: tuple[int, str] | None = None
    either: tuple[int, str] | None = field(default=None)  # 1,234: a thousand, or one and a bit

    def add(self, line: int, text: str) -> None:
        if "," not in text:
            if self.dot is None and "." in text:
                if PLAIN.fullmatch(text):
                    if not BY_DOT.fullmatch(text):
                        self.dot = line, text
                elif self.comma is None and BY_DOT.fullmatch(text):  # 1.234.567
                    self.comma = line, text
            return
        bare = text.translate(SPACES) if BY_SPACE.fullmatch(text) else text
        if BY_COMMA.fullmatch(bare):
            if bare.count(",") > 1 or "." in bare:
                self.dot = self.dot or (line, text)
            elif bare.lstrip("+-").startswith("0") or bare != text:
                self.comma = self.comma or (line, text)
            else:
                self.either = self.either or (line, text)
        elif BY_DOT.fullmatch(bare) or COMMA.fullmatch(bare):
            self.comma = self.comma or (line, text)

    def style(self, separator: str | None) -> Style:
        """The style that the cells show. Raises InvalidInput if they contradict each other, or fit both styles."""
        if self.comma and self.dot:
            first, second = sorted((self.comma, self.dot))
            raise InvalidInput(
                f"{self.source}: line {first[0]} has {first[1]!r} and line {second[0]} has {second[1]!r}, so that the "
                "decimal separator is not certain; write all numbers in one way"
            )
        if self.comma or (self.either and separator == ";" and not self.dot):
            return Style(",")
        if self.either and not self.dot:
            line, text = self.either
            raise InvalidInput(
                f"{self.source}, line {line}: {text!r} can be {text.replace(',', '')} or {text.replace(',', '.')}; "
                "write numbers without a thousands separator"
            )
        return Style(".")
