"""Reads files (CSV, JSON lines, Parquet, Arrow, or a folder of them) into a table with the columns of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from zelador.errors import InvalidInput
from zelador.settings import Settings
from zelador.table import Rows, Wanted, read_table

if TYPE_CHECKING:
    import pyarrow as pa

MAX_FILES = 10_000
SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".ipc"))
PACKED = frozenset((".gz", ".bz2", ".xz", ".zst", ".zip"))


class Tables(msgspec.Struct, frozen=True):
    """Readings of files. `columns` has the columns of `buffer.table_of`, with null for what the files do not have."""

    source: str
    features: tuple[str, ...]
    columns: pa.Table
    notes: tuple[str, ...]
    has_times: bool
    has_devices: bool
    calendar: bool  # the times are moments, not numbers that only tell the order


def files_of(path: Path) -> list[Path]:
    """Returns the file, or all tables in a folder and its subfolders, sorted by name. Raises InvalidInput."""
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.rglob("*") if _is_table(each, path))
    if not found:
        raise InvalidInput(f"{path} has no table; name a CSV, JSON lines, Parquet or Arrow file, or a folder with some")
    if len(found) > MAX_FILES:
        raise InvalidInput(f"{path} has {len(found)} files, more than {MAX_FILES}; use a part of them")
    return found


def read_tables(path: Path, settings: Settings, wanted: Wanted) -> Tables:
    """Reads tables, which must all have the same features. Raises InvalidInput, which names the file."""
    import pyarrow as pa

    parts: list[pa.Table] = []
    notes: dict[str, None] = {}
    features: tuple[str, ...] = ()
    times = calendar = devices = True
    files = files_of(path)
    for number, (file, rows) in enumerate(_read(files, settings, wanted)):
        if features and rows.features != features:
            raise InvalidInput(
                f"{file} has the features {', '.join(rows.features)}, and {files[0]} has {', '.join(features)}; "
                "name those to read with --features"
            )
        features = rows.features
        times, calendar = times and rows.times is not None, calendar and rows.calendar
        devices = devices and rows.devices is not None
        parts.append(_columns(rows, number))
        notes |= dict.fromkeys(rows.notes)
    source = path.name if len(files) == 1 else f"{path.name} ({len(files)} files)"
    return Tables(source, features, pa.concat_tables(parts), tuple(notes), times, devices, calendar)


def _read(files: list[Path], settings: Settings, wanted: Wanted) -> Iterator[tuple[Path, Rows]]:
    for file in files:
        yield file, read_table(file, settings, wanted)


def _is_table(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    suffix = path.with_suffix("").suffix if path.suffix.lower() in PACKED else path.suffix
    return not hidden and suffix.lower() in SUFFIXES and path.is_file()


def _columns(rows: Rows, number: int) -> pa.Table:
    """Returns the columns of a file. `number`, its place among the files, is used as the id of an entry."""
    import numpy as np
    import pyarrow as pa

    count, width = len(rows), len(rows.features)
    matrix = np.frombuffer(rows.values, dtype=np.float64).reshape(count, width)
    none = pa.nulls(count, pa.int64())
    lines = np.frombuffer(rows.lines, dtype=np.int64)
    devices = [""] * count if rows.devices is None else rows.devices
    measured = pa.array(np.frombuffer(rows.times, dtype=np.int64)) if rows.times is not None else pa.array(lines)
    return pa.table(
        {
            "device": pa.array(devices, pa.string()),
            "measured": measured,
            "received": none,
            "ms": pa.array(np.full(count, number, np.int64)),
            "seq": pa.array(lines),
            "place": pa.array(np.zeros(count, np.int64)),
            "id": pa.array([f"{number}:{line}" for line in rows.lines], pa.string()),
            "own": pa.array(rows.labels if rows.labels else [None] * count, pa.string()),
            **{f"f{at}": pa.array(np.ascontiguousarray(matrix[:, at]), from_pandas=True) for at in range(width)},
        }
    )
