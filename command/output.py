"""Tables on standard output: as wide as the terminal, or wide enough for whole rows in a file or pipe."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from command.terminal import Terminal
from zelador.printable import clean

WIDE = 180
FIRST_COLUMN = 22  # characters
HEAD = 20  # characters of a line of a model's name over a column


def output() -> Terminal:
    console = Terminal()
    return console if console.is_terminal else Terminal(width=WIDE)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ("name",), heads: bool = False
) -> Table:
    """A table without a box. A column name with a leading `>` is right-aligned; columns in `whole` never wrap.

    `heads`: the names of columns are those of models, and are broken where a part of the name ends.
    """
    found = Table(box=None)
    for column in columns:
        name = column.removeprefix(">")
        head = Text("\n".join(map(clean, parts_of(name)))) if heads else Text(clean(name))
        found.add_column(head, justify="right" if name != column else "left", no_wrap=name in whole, overflow="fold")
    for row in rows:
        found.add_row(*map(_cell, row))
    return found


def heads_that_fit(names: Sequence[str], width: int, cell: int) -> list[list[str]]:
    """The names in groups, so that each group fits beside each other into `width`, with cells of `cell` characters."""
    groups: list[list[str]] = [[]]
    used = 0
    for name in names:
        need = max(cell, max(map(len, parts_of(name)), default=0)) + 2
        if groups[-1] and used + need > width - FIRST_COLUMN:
            groups.append([])
            used = 0
        groups[-1].append(name)
        used += need
    return groups


def parts_of(name: str) -> list[str]:
    """The lines of a model's name as the head of a column."""
    lines: list[str] = []
    for part in re.split(r"(?<=[_.\-])", name):
        if lines and len(lines[-1]) + len(part) <= HEAD:
            lines[-1] += part
        else:
            lines += [part[at : at + HEAD] for at in range(0, len(part), HEAD)]
    return lines


def when(at: object) -> str:
    """An ISO time in readable form, to the second, in UTC."""
    return str(at or "")[:19].replace("T", " ")


def _cell(value: object) -> Text:
    """Cleaned before the table is laid out, so that the width is right."""
    if isinstance(value, Text):
        plain = clean(value.plain, "\n")
        return value if plain == value.plain else Text(plain, value.style)
    return Text(clean(value, "\n"))
