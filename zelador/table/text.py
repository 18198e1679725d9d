"""A table in text form. It is read twice: once to learn what holds for every line, then for the cells."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zelador.errors import InvalidInput
from zelador.printable import counted
from zelador.table.encoding import encoding_of
from zelador.table.layout import NAMES, Layout, layout_of, lines_of, rows_of
from zelador.table.numbers import Cell
from zelador.table.unpack import Opener

MAX_ROWS = 5_000_000
MAX_LINES = 20_000_000
RULE = re.compile(r":?[-=+]{2,}:?|:-+:?|-+:")
LINES_NAMED = 3  # of repeated headers


@dataclass(frozen=True, slots=True)
class TextTable:
    """`shift` cells stand before those of the header (row numbers); lines in `repeated` are the header again."""

    source: str
    columns: tuple[str, ...]
    separator: str | None
    notes: tuple[str, ...]
    opened: Opener
    encoding: str
    layout: Layout
    shift: int
    repeated: bool

    def cells(self, places: Sequence[int]) -> Iterator[tuple[int, list[Cell]]]:
        """The cells at these places of `columns`, with the number of each row's line."""
        at = [place + self.shift for place in places]
        header = self.layout.header if self.repeated else None
        for line, row in _rows(self.opened, self.encoding, self.layout, self.source):
            if any(row) and not (header is not None and _is_header(row, header)):
                found: list[Cell] = [row[place].strip() if place < len(row) else "" for place in at]
                yield line, found


def text_table(path: Path, opened: Opener) -> TextTable:
    """Surveys a text file: encoding, layout, columns. Raises InvalidInput, naming the cause."""
    source = str(path)
    encoding = encoding_of(path, opened)
    with io.TextIOWrapper(opened(), encoding, newline=None) as file:
        layout = layout_of(lines_of(file, source), source)
    survey = _Survey(source, layout)
    for line, row in _rows(opened, encoding, layout, source):
        survey.add(line, row)
    notes = [*layout.notes, *survey.notes()]
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"the file is read as {encoding}")
    if layout.separator != ",":
        notes.append(f"the columns are separated by {NAMES.get(layout.separator, repr(layout.separator))}")
    shift = survey.shift()
    columns = layout.header or tuple(f"column_{number}" for number in range(1, layout.width + 1))
    if layout.header is not None:
        while len(columns) > 1 and not columns[-1]:
            columns = columns[:-1]
    return TextTable(
        source, columns, layout.separator, tuple(notes), opened, encoding, layout, shift, bool(survey.repeated)
    )


def _rows(opened: Opener, encoding: str, layout: Layout, source: str) -> Iterator[tuple[int, list[str]]]:
    with io.TextIOWrapper(opened(), encoding, newline=None) as file:
        lines = lines_of(file, source)
        skipped = sum(1 for _ in islice(lines, layout.skip))
        count = 0
        for line, row in rows_of(lines, layout.separator, source):
            if count == 0 and layout.header is not None:
                if row:
                    count = 1
                continue
            if count == 1 and layout.header is not None and _is_rule(row):
                continue
            count += bool(row)
            if count > MAX_ROWS or line > MAX_LINES:
                raise InvalidInput(f"{source} has more than {MAX_ROWS} rows; use a part of it")
            yield line + skipped, row


def _is_header(row: Sequence[str], header: Sequence[str]) -> bool:
    return row[0].lstrip("#").strip() == header[0] and [cell.strip() for cell in row[1:]] == list(header[1:])


def _is_rule(row: Sequence[str]) -> bool:
    """The line below the header of a table in Markdown, or as psql prints it: `|---|---|`, `-----+-----`."""
    cells = [cell.strip() for cell in row if cell.strip()]
    return bool(cells) and all(map(RULE.fullmatch, cells))


class _Survey:
    """Collects facts about all rows: how wide they are, and the cells beyond the header."""

    def __init__(self, source: str, layout: Layout) -> None:
        self._source = source
        self._width = layout.width
        self._header = layout.header
        self._names = sorted(layout.header or ())
        self._rows = 0
        self._longer = 0
        self._one_more = 0
        self._two_more = 0  # of these, the last cell is empty
        self._filled: tuple[int, int] | None = None  # the first row with a value beyond the header
        self._shorter: tuple[int, int] | None = None
        self._last = 0  # the last line with a value
        self._empty = 0
        self.repeated: list[int] = []

    def add(self, line: int, row: list[str]) -> None:
        if not any(row):
            self._empty += bool(row)
            return
        width, self._last = len(row), line
        if width == self._width and self._header is not None and row[0].strip().lstrip("#").strip() in self._names:
            if _is_header(row, self._header):
                self.repeated.append(line)
                return
            if self._header[0] and sorted(cell.strip() for cell in row) == self._names:
                raise InvalidInput(
                    f"{self._source}: line {line} is a header again, with its columns in another order than the first; "
                    "split the file there"
                )
        self._rows += 1
        if width < self._width:
            self._shorter = self._shorter or (line, width)
        elif width > self._width:
            self._longer += 1
            self._one_more += width == self._width + 1
            self._two_more += width == self._width + 2 and not row[-1].strip()
            if self._filled is None and any(cell.strip() for cell in row[self._width :]):
                self._filled = line, width

    def shift(self) -> int:
        """1 if the header lacks the name of the first column. Raises InvalidInput for rows that do not fit."""
        if not self._rows:
            raise InvalidInput(f"{self._source} has no rows below its header")
        shift = 0
        if self._filled is not None:
            if self._rows in (self._one_more, self._two_more) and self._header is not None and self._shorter is None:
                shift = 1
            else:
                self._refuse(self._filled)
        if self._shorter is not None:
            self._refuse(self._shorter)
        return shift

    def notes(self) -> Iterator[str]:
        if self._filled is not None:
            yield "the header lacks the name of the first column, which is taken as the row's number or name"
            if self._two_more:
                yield "a separator at the end of the lines is passed over: no line has a value after it"
        elif self._longer:
            yield "a separator at the end of the lines is passed over: no line has a value after it"
        if self._empty:
            yield counted(self._empty, "row without any value was", "rows without any value were") + " passed over"
        if self.repeated:
            lines = ", ".join(map(str, self.repeated[:LINES_NAMED])) + (
                ", …" if len(self.repeated) > LINES_NAMED else ""
            )
            count = len(self.repeated)
            yield (
                f"{counted(count, 'repeated header line was', 'repeated header lines were')} passed over (line {lines})"
            )

    def _refuse(self, found: tuple[int, int]) -> None:
        line, width = found
        why = f"{self._source}, line {line}: {width} values, the header has {self._width}"
        if self._header is None:
            why = f"{self._source}, line {line}: {width} values, the first line has {self._width}"
        if self._one_more < self._longer and width >= 2 * self._width - 1:
            why += "; if numbers have decimal commas, separate the columns by semicolons"
        elif line == self._last and width < self._width:
            why += "; it is the last line: remove the lines below the table"
        raise InvalidInput(why)
