"""Tables on standard output: as wide as the terminal, or wide enough for whole rows in a file or pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from command.terminal import Terminal
from zelador.printable import clean

WIDE = 180


def output() -> Terminal:
    console = Terminal()
    return console if console.is_terminal else Terminal(width=WIDE)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ("name",)) -> Table:
    """A table without a box. A column name with a leading `>` is right-aligned; columns in `whole` never wrap."""
    found = Table(box=None)
    for column in columns:
        name = column.removeprefix(">")
        head = Text(clean(name))
        found.add_column(head, justify="right" if name != column else "left", no_wrap=name in whole, overflow="fold")
    for row in rows:
        found.add_row(*map(_cell, row))
    return found


def when(at: object) -> str:
    """An ISO time in readable form, to the second, in UTC."""
    return str(at or "")[:19].replace("T", " ")


def _cell(value: object) -> Text:
    """Cleaned before the table is laid out, so that the width is right."""
    if isinstance(value, Text):
        plain = clean(value.plain, "\n")
        return value if plain == value.plain else Text(plain, value.style)
    return Text(clean(value, "\n"))
