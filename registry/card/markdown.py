"""A card as Markdown (CommonMark with tables)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from registry.card.blocks import Block, Code, Confusion, Facts, Plot, Points, Table, Words
from registry.card.card import Card
from registry.card.page import page_of
from zelador.printable import clean

LINES = "\n\t"
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&])")


def card_markdown(card: Card) -> str:
    page = page_of(card)
    parts = [f"# {_escape(page.title)}", " · ".join(map(_escape, page.lines)), f"**{_escape(page.verdict)}**"]
    if page.lede:
        parts.append("\n".join(f"> {_escape(line)}" for line in page.lede.splitlines()))
    for section in page.sections:
        parts.append(f"## {_escape(section.title)}")
        if section.note:
            parts.append(f"*{_escape(section.note)}*")
        parts += [text for block in section.blocks if (text := _block(block))]
    parts.append(_escape(page.foot))
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> str:
    match block:
        case Words(text):
            return _escape(text)
        case Facts(pairs):
            return _table(("", ""), pairs, frozenset())
        case Table(head, rows, numbers, pictures):
            columns = [i for i in range(len(head)) if pictures is None or i != pictures[0]]
            numbers = frozenset(column for column, i in enumerate(columns) if i in numbers)
            return _table([head[i] for i in columns], [[row[i] for i in columns] for row in rows], numbers)
        case Points(items):
            return "\n".join(f"- {_escape(item)}" for item in items)
        case Plot(title, note, _, table):
            return f"### {_escape(title)}\n\n{_escape(note)}" + (f"\n\n{_block(table)}" if table else "")
        case Confusion(labels, counts):
            actual = [(f"actual {label}", *map(str, row)) for label, row in zip(labels, counts, strict=True)]
            head = ("", *(f"predicted {label}" for label in labels))
            return f"### Confusion\n\n{_table(head, actual, frozenset(range(1, len(head))))}"
        case Code(title, text, language):
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
            return f"### {_escape(title)}\n\n{fence}{language}\n{clean(text, LINES)}\n{fence}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int]) -> str:
    line = ["--:" if i in numbers else "---" for i in range(len(head))]
    return "\n".join(_row(cells) for cells in (list(map(_escape, head)), line, *([*map(_escape, r)] for r in rows)))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    """The text on one line, without control characters, with all Markdown characters escaped."""
    return SPECIAL.sub(r"\\\1", clean(" ".join(text.split())))
