"""Parquet files and Arrow files or streams. They are read column by column, a portion of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from zelador.errors import InvalidInput
from zelador.table.layout import MAX_COLUMNS
from zelador.table.numbers import Cell
from zelador.table.text import MAX_ROWS

PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
BATCH_ROWS = 16_384
MAX_TEXT = 4_096  # characters of a cell


@dataclass(frozen=True, slots=True)
class ArrowTable:
    source: str
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    path: Path
    kind: bytes
    separator: None = None

    def cells(self, places: Sequence[int]) -> Iterator[tuple[int, list[Cell]]]:
        number = 0
        for batch in _batches(self.path, self.kind, list(places), self.source):
            for row in zip(*batch, strict=True) if batch else ():
                number += 1
                if number > MAX_ROWS:
                    raise InvalidInput(f"{self.source} has more than {MAX_ROWS} rows; use a part of it")
                yield number, [_cell(value) for value in row]


def kind_of(path: Path) -> bytes | None:
    with path.open("rb") as file:
        start = file.read(8)
    return next((kind for kind in (PARQUET, ARROW_FILE, ARROW_STREAM) if start.startswith(kind)), None)


def arrow_table(path: Path, kind: bytes) -> ArrowTable:
    """Opens the file. Raises InvalidInput if it is damaged, or if pyarrow is not installed."""
    source = str(path)
    names, rows = _described(path, kind, source)
    if len(names) > MAX_COLUMNS:
        raise InvalidInput(f"{source} has {len(names)} columns, more than {MAX_COLUMNS}")
    if rows is not None and rows > MAX_ROWS:
        raise InvalidInput(f"{source} has {rows} rows, more than {MAX_ROWS}; use a part of it")
    if rows == 0:
        raise InvalidInput(f"{source} has no rows")
    return ArrowTable(source, tuple(name.strip() for name in names), (), path, kind)


def _described(path: Path, kind: bytes, source: str) -> tuple[list[str], int | None]:
    pyarrow = _pyarrow(source)
    try:
        if kind == PARQUET:
            import pyarrow.parquet as parquet

            with parquet.ParquetFile(path) as file:
                return file.schema_arrow.names, file.metadata.num_rows
        with pyarrow.OSFile(str(path)) as file:
            reader = pyarrow.ipc.open_file(file) if kind == ARROW_FILE else pyarrow.ipc.open_stream(file)
            return reader.schema.names, None
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _broken(source, error) from None


def _batches(path: Path, kind: bytes, places: list[int], source: str) -> Iterator[list[list[Any]]]:
    """The columns of each portion of rows, as Python values."""
    pyarrow = _pyarrow(source)
    try:
        if kind == PARQUET:
            import pyarrow.parquet as parquet

            with parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
                wanted = sorted({names[place] for place in places})
                for batch in file.iter_batches(BATCH_ROWS, columns=wanted, use_threads=False):
                    yield [batch.column(names[place]).to_pylist() for place in places]
            return
        with pyarrow.OSFile(str(path)) as file:
            if kind == ARROW_FILE:
                reader = pyarrow.ipc.open_file(file)
                found: Any = (reader.get_batch(number) for number in range(reader.num_record_batches))
            else:
                found = pyarrow.ipc.open_stream(file)
            for whole in found:
                for start in range(0, whole.num_rows, BATCH_ROWS):
                    batch = whole.slice(start, BATCH_ROWS)
                    yield [batch.column(place).to_pylist() for place in places]
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise _broken(source, error) from None


def _pyarrow(source: str) -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        raise InvalidInput(
            f"{source} is a Parquet or Arrow file, and pyarrow is not installed; save it as CSV"
        ) from None
    return pyarrow


def _broken(source: str, error: Exception) -> InvalidInput:
    return InvalidInput(f"{source} cannot be read ({' '.join(str(error).split())[:200]}); is it complete?")


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return value[:MAX_TEXT].strip()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value[:MAX_TEXT].decode("utf-8", "replace").strip()
    return str(value)[:MAX_TEXT]
