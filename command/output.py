"""Tables on standard output: as wide as the terminal, or, in a file or pipe, as wide as their rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from command.terminal import Terminal
from zelador.printable import clean

WIDE = 180
FIRST_COLUMN = 22  # characters
HEAD = 20  # characters of a line of a model's name at the head of a column


def output() -> Terminal:
    console = Terminal()
    return console if console.is_terminal else Terminal(width=WIDE)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ("name",), heads: bool = False
) -> Table:
    """Returns a table without a box. A column with a leading `>` is right-aligned; columns in `whole` never wrap.

    With `heads`, the columns are named after models; long names are broken at the end of a part.
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
    """Groups names so that the columns of a group, of at least `cell` characters, fit side by side into `width`."""
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
    """Returns the lines of a model's name at the head of a column."""
    lines: list[str] = []
    for part in re.split(r"(?<=[_.\-])", name):
        if lines and len(lines[-1]) + len(part) <= HEAD:
            lines[-1] += part
        else:
            lines += [part[at : at + HEAD] for at in range(0, len(part), HEAD)]
    return lines


def when(at: object) -> str:
    """Formats an ISO time for people: to the second, in UTC."""
    return str(at or "")[:19].replace("T", " ")


def _cell(value: object) -> Text:
    """Cleans a cell before the table is laid out, so that the width is right."""
    if isinstance(value, Text):
        plain = clean(value.plain, "\n")
        return value if plain == value.plain else Text(plain, value.style)
    return Text(clean(value, "\n"))
