"""A table of readings in a file: CSV in any of its dialects, JSON lines, Parquet or Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from zelador.errors import InvalidInput
from zelador.table.arrow import arrow_table, kind_of
from zelador.table.json_rows import json_table, looks_like_json
from zelador.table.numbers import Cell
from zelador.table.text import text_table
from zelador.table.unpack import opener

LONG = (  # pairs of columns of such tables
    {"_field", "_value"}, {"entity_id", "state"}, {"metric", "value"}, {"series", "value"}, {"field", "value"},
    {"variable", "value"}, {"sensor", "value"}, {"key", "value"}, {"name", "value"},
)  # fmt: skip
COLUMNS_NAMED = 30  # in a message


class Table(Protocol):
    """The columns of a file, and a way to read some of them as often as needed.

    `notes` tells how the file was interpreted and what was skipped; `separator` is for text tables.
    """

    @property
    def source(self) -> str: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def separator(self) -> str | None: ...

    def cells(self, places: Sequence[int]) -> Iterator[tuple[int, list[Cell]]]:
        """The cells at these places of `columns`, row by row, each with its line. Text is without blanks around it."""


def open_table(path: Path) -> Table:
    """Opens the file by its content, not its name. Raises InvalidInput, naming the cause."""
    opened = opener(path)
    kind = kind_of(path)
    if kind is not None:
        return arrow_table(path, kind)
    with opened() as file:
        start = file.read(4)
    if not start:
        raise InvalidInput(f"{path} is empty; it has no rows")
    if start == b"PAR1":
        raise InvalidInput(f"{path} is a compressed Parquet file; unpack it first")
    return json_table(path, opened) if looks_like_json(opened) else text_table(path, opened)


def place_of(table: Table, name: str, option: str | None = None) -> int:
    """The place of the column `name`. Raises InvalidInput, naming the `option`, if there is not exactly one."""
    places = [place for place, column in enumerate(table.columns) if column == name]
    if len(places) > 1:
        first, second = places[0] + 1, places[1] + 1
        raise InvalidInput(
            f"{table.source}: two columns are named {name!r}, the {ordinal(first)} and the {ordinal(second)}; "
            "rename one of them"
        )
    if not places:
        hint = f". Name the column with {option}" if option else ""
        raise InvalidInput(
            f"{table.source} has no column {name!r}; it has {listed(table.columns)}{hint}{long_hint(table)}"
        )
    return places[0]


def long_hint(table: Table) -> str:
    """A hint for a table with a row for each value, as databases and Home Assistant export it."""
    columns = {column.lower() for column in table.columns}
    if any(each <= columns for each in LONG):
        return ". It has a row for each value; a row for each reading is needed: pivot it before the export"
    return ""


def listed(columns: Sequence[str]) -> str:
    shown = ", ".join(column or "(without a name)" for column in columns[:COLUMNS_NAMED])
    return f"{shown} and {len(columns) - COLUMNS_NAMED} more" if len(columns) > COLUMNS_NAMED else shown


def ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
