"""What a page is made of, whichever way it is written: sections of words, facts, tables, lists, plots and code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`numbers`: the columns that are right-aligned. `pictures`: SVG instead of a column's text, in HTML."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    pictures: tuple[int, Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Points:
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """`svg` is drawn by us; `table` says the same for who cannot see it, and in Markdown."""

    title: str
    note: str
    svg: str
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows are what was so, columns what was said."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Code:
    title: str
    text: str
    language: str


Block = Words | Facts | Table | Points | Plot | Confusion | Code


@dataclass(frozen=True, slots=True)
class Section:
    """`span`: of twelve columns, where there is room."""

    title: str
    blocks: tuple[Block, ...]
    note: str = ""
    span: int = 12


@dataclass(frozen=True, slots=True)
class Page:
    """`lines` stand beneath the title: state, type, rank, tags; `verdict` is what the figures say, in a sentence."""

    title: str
    lines: tuple[str, ...]
    verdict: str
    lede: str
    sections: tuple[Section, ...]
    foot: str
    selected: bool = False
