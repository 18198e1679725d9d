"""Finds the layout of a text table: its separator, the place of its header, and the names in it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from zelador.errors import InvalidInput
from zelador.printable import counted
from zelador.table.numbers import PLAIN
from zelador.table.times import looks_like_time

SEPARATORS = (",", ";", "\t", "|")
NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", " ": "blanks"}
SAMPLE_LINES = 200
MARK = "\ufeff"  # a byte order mark; files that were put together have it in the middle as well
MAX_LINE = 1 << 20  # characters
MAX_COLUMNS = 10_000
MIN_MOMENT = 11  # characters of a date with a time of day
ANNOTATION = re.compile(r'"?#(?:group|datatype|default|constant)"?,')  # of InfluxDB; the header is below
SEP_LINE = re.compile(r'"?sep=(.)"?[,;\t]*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """`skip` lines are above the header; `header` is None if the first row has values already."""

    separator: str
    skip: int
    header: tuple[str, ...] | None
    width: int
    notes: tuple[str, ...]


def lines_of(file: IO[str], source: str) -> Iterator[str]:
    """The lines of a text. Raises InvalidInput for one that is too long, before it is read as a whole."""
    number = 0
    try:
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise InvalidInput(f"{source}, line {number} has more than {MAX_LINE} characters; is it a table?")
            yield line.removeprefix(MARK)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{source}, after line {number}: not {error.encoding} text; save it as UTF-8") from None


def rows_of(lines: Iterator[str], separator: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row, with the number of the line that it ends on. A blank line is a row without cells."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InvalidInput(
                f"{source}, line {reader.line_num}: {error}; is an earlier quotation mark not closed?"
            ) from None
        if cells is None:
            return
        if separator == " ":
            cells = [cell for cell in cells if cell]
        if len(cells) == 1 and cells[0] and not cells[0].strip("\0\x1a \r\n"):
            cells = [""]  # the zeros of a logger that lost power, or the end mark of DOS
        yield reader.line_num, cells


def layout_of(lines: Iterator[str], source: str) -> Layout:
    """The layout, from the first lines. Raises InvalidInput if there is no table."""
    sample = [line for _, line in zip(range(SAMPLE_LINES), lines, strict=False)]
    skip, given, notes = 0, None, []
    while skip < len(sample) and _is_blank(sample[skip]):
        skip += 1
    if skip < len(sample) and (found := SEP_LINE.fullmatch(sample[skip].strip("\r\n "))):
        given = found[1]
        skip += 1
    while skip < len(sample) and ANNOTATION.match(sample[skip]):
        skip += 1
    comments, last_comment = skip, None
    while comments < len(sample) and (sample[comments].startswith("#") or _is_blank(sample[comments])):
        last_comment = last_comment if _is_blank(sample[comments]) else comments
        comments += 1
    rest = sample[comments:]
    separator = given or _separator(rest) or (_separator(sample[skip:]) if comments > skip else None)
    if separator is None:
        separator = _single(sample[skip:], source)
    if last_comment is None:
        skip = comments
    else:
        last = _cells(sample[last_comment].lstrip("#"), separator)
        after = _cells(rest[0], separator) if rest else last
        is_header = len(last) == len(after) > 1
        skip = last_comment if is_header else comments
        if passed := skip - (1 if given else 0):
            notes.append(
                f"{counted(passed, 'line')} of comments above the header {'was' if passed == 1 else 'were'} passed over"
            )
    if skip >= len(sample):
        raise InvalidInput(f"{source} has no rows below its header")
    first = [cell.strip() for cell in _cells(sample[skip], separator)]
    if not first:
        raise InvalidInput(
            f"{source}, line {skip + 1} cannot be split into cells; save the table as CSV, one row a line"
        )
    if len(first) > 2 and sum(map(bool, first)) == 1:
        raise InvalidInput(
            f"{source}, line {skip + 1} has one value in {len(first)} cells; remove the lines above the header"
        )
    if len(first) > MAX_COLUMNS:
        raise InvalidInput(f"{source} has {len(first)} columns, more than {MAX_COLUMNS}")
    if _is_values(first):
        notes.append(f"the first line has values and no names, so the columns are column_1 to column_{len(first)}")
        return Layout(separator, skip, None, len(first), tuple(notes))
    first[0] = first[0].lstrip("#").strip() if len(first) > 1 else first[0]
    return Layout(separator, skip, tuple(first), len(first), tuple(notes))


def _is_blank(line: str) -> bool:
    return not line.strip(" \t\r\n,;|")


def _separator(sample: Sequence[str]) -> str | None:
    """The separator with which the rows are as wide as the header; None if there is none."""
    best: tuple[float, int, str] | None = None
    for separator in (*SEPARATORS, " "):
        widths = [len(cells) for line in sample if line.strip() and (cells := _cells(line, separator))]
        if not widths or widths[0] < 2:
            continue
        fitting = sum(widths[0] <= width <= widths[0] + 1 for width in widths) / len(widths)
        if separator == " " and (best is not None or fitting < 1 or len(widths) < 2):
            continue  # blanks are in many names
        if best is None or (fitting, widths[0]) > best[:2]:
            best = fitting, widths[0], separator
    return best[2] if best else None


def _single(sample: Sequence[str], source: str) -> str:
    """The separator of a table with one column. Raises InvalidInput if its rows have more than its header."""
    rows = [line for line in sample if line.strip()]
    if not rows:
        raise InvalidInput(f"{source} has no rows")
    widest = max(len(_cells(line, separator)) for line in rows for separator in SEPARATORS)
    if widest > 1:
        raise InvalidInput(
            f"{source}: the first line has 1 value and others have {widest}; remove the lines above the header"
        )
    return ","


def _cells(line: str, separator: str) -> list[str]:
    try:
        found = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [cell for cell in found if cell] if separator == " " else found


def _is_values(cells: Sequence[str]) -> bool:
    """True if a first line is a row and not a header: times and numbers, but not column numbers or a run of years."""
    named = [cell for cell in cells if cell]
    if len(named) > 1 and all(len(cell) > MIN_MOMENT and looks_like_time(cell) for cell in named):
        return True  # starts and ends
    numbers = [cell for cell in named if PLAIN.fullmatch(cell.replace(",", "."))]
    times = [cell for cell in named if cell not in numbers and looks_like_time(cell)]
    if not numbers or len(numbers) + len(times) < max(2, len(named) / 2):
        return False
    if all(cell.isdecimal() for cell in numbers):
        counted = [int(cell) for cell in numbers[:MAX_COLUMNS] if len(cell) < 10]
        if counted == list(range(counted[0] if counted else 0, (counted[0] if counted else 0) + len(numbers))):
            return False
    return True
