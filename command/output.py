"""Tables on standard output: as wide as the terminal; wide enough for a whole row where there is none."""

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
    """Without a box. A column whose name begins with `>` is right-aligned; those in `whole` are never broken."""
    found = Table(box=None)
    for column in columns:
        name = column.removeprefix(">")
        head = Text(clean(name))
        found.add_column(head, justify="right" if name != column else "left", no_wrap=name in whole, overflow="fold")
    for row in rows:
        found.add_row(*map(_cell, row))
    return found


def when(at: object) -> str:
    """An ISO time as people read it, to the second, in UTC as it is kept."""
    return str(at or "")[:19].replace("T", " ")


def _cell(value: object) -> Text:
    """Cleaned here already, so that its width is known when the table is laid out."""
    if isinstance(value, Text):
        plain = clean(value.plain, "\n")
        return value if plain == value.plain else Text(plain, value.style)
    return Text(clean(value, "\n"))
