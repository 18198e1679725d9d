"""Rows as JSON: an object a line, or one array of objects. A nested object gives columns with dots in their names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zelador.errors import InvalidInput
from zelador.table.encoding import encoding_of
from zelador.table.layout import MAX_COLUMNS, lines_of
from zelador.table.numbers import Cell
from zelador.table.text import MAX_ROWS
from zelador.table.unpack import MIB, Opener

MAX_DEPTH = 8
MAX_ARRAY = 256 * MIB  # characters: an array is read as a whole


@dataclass(frozen=True, slots=True)
class JsonTable:
    source: str
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    opened: Opener
    encoding: str
    separator: None = None

    def cells(self, places: Sequence[int]) -> Iterator[tuple[int, list[Cell]]]:
        names = [self.columns[place] for place in places]
        for line, row in _rows(self.opened, self.encoding, self.source):
            yield line, [row.get(name) for name in names]


def looks_like_json(opened: Opener) -> bool:
    with opened() as file:
        start = file.read(4_096).replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return start.startswith(b"{") or (start.startswith(b"[") and start[1:].lstrip(b" \t\r\n").startswith(b"{"))


def json_table(path: Path, opened: Opener) -> JsonTable:
    """Surveys a file of JSON rows: columns and number of rows. Raises InvalidInput, naming the line."""
    source = str(path)
    encoding = encoding_of(path, opened)
    columns: dict[str, None] = {}
    count = 0
    for _, row in _rows(opened, encoding, source):
        columns.update(dict.fromkeys(row))
        count += 1
        if len(columns) > MAX_COLUMNS:
            raise InvalidInput(f"{source} has more than {MAX_COLUMNS} names")
        if count > MAX_ROWS:
            raise InvalidInput(f"{source} has more than {MAX_ROWS} rows; use a part of it")
    if not count:
        raise InvalidInput(f"{source} has no rows")
    return JsonTable(source, tuple(columns), (), opened, encoding)


def _rows(opened: Opener, encoding: str, source: str) -> Iterator[tuple[int, dict[str, Cell]]]:
    with io.TextIOWrapper(opened(), encoding, newline=None) as file:
        start = file.read(1)
        while start.isspace():
            start = file.read(1)
        if start == "[":
            text = start + file.read(MAX_ARRAY)
            if len(text) > MAX_ARRAY:
                raise InvalidInput(
                    f"{source} is a JSON array of more than {MAX_ARRAY // MIB} MiB; write an object a line"
                )
            found = _parsed(text, f"{source}:")
            for number, each in enumerate(found, start=1):
                yield number, _flat(each, f"{source}, element {number}:")
            return
        first = True
        for line, text in enumerate(lines_of(file, source), start=1):
            if first:
                text, first = start + text, False
            if text.strip():
                where = f"{source}, line {line}:"
                yield line, _flat(_parsed(text, where), where)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except _Twice as twice:
        raise InvalidInput(f"{where} the name {twice} is listed twice") from None
    except RecursionError:
        raise InvalidInput(f"{where} nested too deep") from None
    except ValueError as error:
        raise InvalidInput(f"{where} not JSON ({error}); write one object a line") from None


class _Twice(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(repr(next(name for name in names if names.count(name) > 1))[:100])
    return found


def _flat(value: Any, where: str, before: str = "", depth: int = 0) -> dict[str, Cell]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{where} {json.dumps(value)[:60]} is not a JSON object with a value for each column")
    found: dict[str, Cell] = {}
    for name, each in value.items():
        if isinstance(each, dict) and depth < MAX_DEPTH:
            found.update(_flat(each, where, f"{before}{name}.", depth + 1))
        elif isinstance(each, list | dict):
            found[before + name] = json.dumps(each)[:200]
        else:
            found[before + name] = each.strip() if isinstance(each, str) else each
    return found
