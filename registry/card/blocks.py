"""The elements of a page, for both HTML and Markdown: sections of text, facts, tables, lists, plots and code."""

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
    """A table. `numbers`: the right-aligned columns. `pictures`: a column number and the SVG of its cells, for HTML."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    pictures: tuple[int, Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Points:
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot. `svg` is trusted markup; `table` has the same data, for screen readers and Markdown."""

    title: str
    note: str
    svg: str
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix: a row per actual label, a column per predicted label."""

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
    """A section of the page. `span` is its width in twelfths of a wide page."""

    title: str
    blocks: tuple[Block, ...]
    note: str = ""
    span: int = 12


@dataclass(frozen=True, slots=True)
class Page:
    """A page. `lines` are below the title: state, type, rank, tags. `verdict` is the accuracy in one sentence."""

    title: str
    lines: tuple[str, ...]
    verdict: str
    lede: str
    sections: tuple[Section, ...]
    foot: str
    selected: bool = False
