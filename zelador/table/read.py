"""Reads the rows of a table: numbers for features, texts for labels, and the columns to keep."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zelador.errors import InvalidInput
from zelador.messages.labels import label_text
from zelador.printable import counted
from zelador.settings import Settings
from zelador.table.columns import ROW, FeatureColumn, device_column, feature_column, features_of, time_column
from zelador.table.numbers import Cell, Style, Votes, is_missing, number
from zelador.table.table import Table, open_table, place_of
from zelador.table.times import times_of

MAX_VALUES = 100_000_000  # numbers held: 8 bytes each
COMMA_WHOLE = re.compile(r"[+-]?\d+,0*", re.ASCII)
WORDS_NAMED = 5
SUMMARIES = frozenset(("total", "totals", "sum", "mean", "average", "avg", "min", "max", "std", "count", "median"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read.

    `features` None: those of the settings; all numeric columns if nobody chose features and the table lacks one.
    `device` and `time` name columns; `none` takes none, and the time `row` is the order of the rows. With `context`, a
    `device` or `time` that is None is guessed. `strict`: a cell that is not a number refuses the table; otherwise its
    row has a fault.
    """

    features: tuple[str, ...] | None = None
    label: str | None = None
    keep: tuple[str, ...] = ()
    device: str | None = None
    time: str | None = None
    context: bool = False
    strict: bool = True


@dataclass(slots=True)
class Rows:
    """`values` has the features of each row, one row after the other, NaN for a missing value. `labels` has None for
    a row without a label. `times` are in milliseconds since 1970 UTC; if they are not `calendar`, they only order the
    rows. `faults` maps a row to the reason why it has no values.
    """

    source: str
    features: tuple[str, ...]
    values: array[float] = field(default_factory=lambda: array("d"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    labels: list[str | None] = field(default_factory=list)
    devices: list[str] | None = None
    times: array[int] | None = None
    calendar: bool = False
    kept: list[list[Cell]] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def row(self, place: int) -> tuple[float, ...]:
        width = len(self.features)
        return tuple(self.values[place * width : (place + 1) * width])


def read_table(path: Path, settings: Settings, wanted: Wanted) -> Rows:
    """Reads the rows of a table. Raises InvalidInput, naming the file, the line and the cause."""
    table = open_table(path)
    label = place_of(table, wanted.label, "--label") if wanted.label is not None else None
    features = features_of(table, wanted.features, label, settings)
    if not features:
        raise InvalidInput(f"{path} has no column of numbers; name the features with --features")
    if twice := [name for name in features if features.count(name) > 1]:
        raise InvalidInput(f"{twice[0]!r} is named twice among the features; name each once")
    columns = [feature_column(table, feature, settings) for feature in features]
    for column in columns:
        if column.place == label:
            raise InvalidInput(f"{table.columns[column.place]!r} is the label and a feature; name it once")
    for one, other in zip(sorted(columns, key=_place), sorted(columns, key=_place)[1:], strict=False):
        if one.place == other.place:
            raise InvalidInput(f"{one.feature} and {other.feature} are both read from {table.columns[one.place]!r}")
    taken = [column.place for column in columns] + ([] if label is None else [label])
    device = device_column(table, wanted.device, taken) if wanted.context or wanted.device else None
    time = time_column(table, wanted.time, taken) if wanted.context or wanted.time else None
    kept = [place_of(table, name, "--keep") for name in wanted.keep]
    notes = [*table.notes, *(column.note for column in columns if column.note)]
    if wanted.features is None and features != settings.features:
        notes.append(
            f"the table lacks some of ZELADOR_FEATURES ({', '.join(settings.features)}), so that all its numbers are "
            f"features: {', '.join(features)}"
        )
    rows = Rows(path.name, features, notes=notes)
    reader = _Reader(table, rows, wanted, _style(table, taken[: len(columns)]), columns)
    reader.read(taken[: len(columns)], label, device, time, kept)
    if device is not None:
        rows.devices = _devices(table.columns[device], reader.devices, rows, wanted.device is not None)
    if time is not None:
        _set_times(table.columns[time], reader.times, rows, path, wanted.time is not None)
    elif wanted.time == ROW:
        rows.times = array("q", range(len(rows)))
        notes.append("the order of the rows stands for the time")
    return rows


def _devices(column: str, names: list[str], rows: Rows, asked: bool) -> list[str] | None:
    """The device of each row. None for a guessed column that has a different name in nearly every row."""
    if not asked and len(set(names)) > len(names) / 2:
        rows.notes.append(f"the column {column!r} names no devices: nearly each row has a value of its own")
        return None
    rows.notes.append(f"the device is the column {column!r}")
    return names


def _set_times(column: str, cells: list[Cell], rows: Rows, path: Path, asked: bool) -> None:
    """Reads the times. A guessed column may turn out to have none. Rows without a label need no time."""
    needed = [place for place, label in enumerate(rows.labels) if label is not None] or range(len(rows))
    try:
        found, calendar = times_of([cells[place] for place in needed])
    except InvalidInput as error:
        if asked:
            raise InvalidInput(f"{path}, column {column!r}: {error}; name another with --time, or none") from None
        rows.notes.append(f"the column {column!r} is not taken for the time: {error}")
        return
    rows.times = array("q", bytes(8 * len(rows)))
    for place, moment in zip(needed, found, strict=True):
        rows.times[place] = moment
    rows.calendar = calendar
    rows.notes.append(f"the time is the column {column!r}")


def _place(column: object) -> int:
    return int(column.place)  # type: ignore[attr-defined]


def _style(table: Table, places: Sequence[int]) -> Style:
    """How the features' numbers are written. Raises InvalidInput if that is ambiguous."""
    if table.separator is None:
        return Style()
    votes = Votes(table.source)
    for line, cells in table.cells(places):
        for cell in cells:
            if isinstance(cell, str) and not cell.isdecimal():
                votes.add(line, cell)
    return votes.style(table.separator)


class _Reader:
    def __init__(self, table: Table, rows: Rows, wanted: Wanted, style: Style,
                 columns: Sequence[FeatureColumn]) -> None:  # fmt: skip
        self._table = table
        self._rows = rows
        self._strict = wanted.strict
        self._style = style
        self._scales = [(column.scale, column.offset) for column in columns]
        self._words: Counter[str] = Counter()  # taken as missing
        self._bad_labels: list[int] = []
        self.devices: list[str] = []
        self.times: list[Cell] = []

    def read(self, features: Sequence[int], label: int | None, device: int | None, time: int | None,
             kept: Sequence[int]) -> None:  # fmt: skip
        rows, width = self._rows, len(features)
        extra = [place for place in (label, device, time) if place is not None]
        for line, cells in self._table.cells([*features, *extra, *kept]):
            self._values(line, cells[:width])
            at = width
            if label is not None:
                rows.labels.append(self._label(line, cells[at]))
                at += 1
            if device is not None:
                self.devices.append(label_or_blank(cells[at]))
                at += 1
            if time is not None:
                self.times.append(cells[at])
                at += 1
            if kept:
                rows.kept.append(cells[at:])
            rows.lines.append(line)
            if len(rows.values) > MAX_VALUES:
                raise InvalidInput(f"{self._table.source} has more than {MAX_VALUES} values; use a part of it")
        if not len(rows):
            raise InvalidInput(f"{self._table.source} has no rows")
        if len(rows.faults) == len(rows):
            raise InvalidInput(f"{self._table.source}, line {rows.lines[0]}: {rows.faults[0]}")
        self._note()

    def _values(self, line: int, cells: Sequence[Cell]) -> None:
        rows, style = self._rows, self._style
        found = []
        for cell, (scale, offset) in zip(cells, self._scales, strict=True):
            try:
                value = number(cell, style)
            except ValueError as error:
                if self._strict:
                    hint = _hint(cells, style, first=not len(rows))
                    raise InvalidInput(f"{self._table.source}, line {line}: {error}{hint}") from None
                rows.faults.setdefault(len(rows), str(error))
                value = math.nan
            else:
                if value != value and isinstance(cell, str) and cell and is_missing(cell):
                    self._words[cell] += 1
            found.append(value * scale + offset)
        rows.values.extend(found)

    def _label(self, line: int, cell: Cell) -> str | None:
        if isinstance(cell, str) and self._style.decimal == "," and COMMA_WHOLE.fullmatch(cell):
            cell = cell.replace(",", ".")
        try:
            return label_text(cell)
        except ValueError:
            self._bad_labels.append(line)
            return None

    def _note(self) -> None:
        notes = self._rows.notes
        if self._style.decimal == ",":
            notes.append("numbers have decimal commas")
        if self._words:
            words = ", ".join(repr(word) for word, _ in self._words.most_common(WORDS_NAMED))
            total = self._words.total()
            are = "is a missing value" if total == 1 else "are missing values"
            notes.append(f"{counted(total, 'cell')} with {words} {are}")
        if self._bad_labels:
            notes.append(
                f"{counted(len(self._bad_labels), 'label is', 'labels are')} too long or not printable (the first in "
                f"line {self._bad_labels[0]}); their rows have no label"
            )


def _hint(cells: Sequence[Cell], style: Style, first: bool) -> str:
    """A guess at why a row has text in place of a number."""
    numbers = 0
    for cell in cells:
        try:
            numbers += not math.isnan(number(cell, style))
        except ValueError:
            continue
    if first and not numbers:
        return "; if this line has units or a second header, remove it"
    if any(isinstance(cell, str) and cell.strip(" :").lower() in SUMMARIES for cell in cells):
        return "; it looks like a summary: remove the lines below the table"
    return ""


def label_or_blank(cell: Cell) -> str:
    """A device's name as text, by the rule of labels: 7.0 is "7"."""
    try:
        return label_text(cell) or ""
    except ValueError:
        return str(cell)[:128]
