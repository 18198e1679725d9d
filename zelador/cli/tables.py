"""Tables on standard output: as wide as the terminal; wide enough for a whole row where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 180


def output() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ("name",)) -> Table:
    """Without a box. A column whose name begins with `>` is right-aligned; those in `whole` are never broken."""
    found = Table(box=None)
    for column in columns:
        name = column.removeprefix(">")
        found.add_column(name, justify="right" if name != column else "left", no_wrap=name in whole, overflow="fold")
    for row in rows:
        found.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    return found


def clean(value: object) -> str:
    """What others wrote, without what a terminal would obey."""
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)


def when(at: object) -> str:
    """An ISO time as people read it, to the second, in UTC as it is kept."""
    return str(at or "")[:19].replace("T", " ")


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)
