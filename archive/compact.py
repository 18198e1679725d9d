"""Decides which files of the archive to merge, and merges them.

Files are written every half minute. Consecutive files of one day are merged: for the current day, as soon as there are
MERGED_FILES of about the same size; for a past day, all of them, up to MAX_CELLS per file. Readings of a merged file
are ordered by device, so that the history of one device is in a few of its row groups; the file is also smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from archive import paths
from archive.archive import Archive
from archive.layout import KEY, File, describe, encode, rows_of, sum_of
from archive.state import State
from zelador.buffer.entry import order_of
from zelador.errors import Corrupt

MERGED_FILES = 16
MAX_CELLS = 12_000_000  # of a merged file: a million rows with three features; half a gigabyte during the merge
COLUMNS = 12  # that a file counts as at least
BY_DEVICE = [(name, "ascending") for name in ("device_id", *KEY)]
ROWS_BASE = 64  # files whose rows are within a factor of 16 count as equally large


def plan(files: Sequence[File], today: str) -> Iterator[tuple[File, ...]]:
    """Yields the runs of files to merge, each into one file. `files` are of one kind, in order. Pure."""
    for day, group in groupby(files, lambda file: file.day):
        yield from _runs(tuple(group), 2 if day < today else MERGED_FILES)


def _runs(files: Sequence[File], least: int) -> Iterator[tuple[File, ...]]:
    run: list[File] = []
    for file in files:
        if run and not _may_join(run, file, least):
            if len(run) >= least:
                yield tuple(run)
            run = []
        run.append(file)
    if len(run) >= least:
        yield tuple(run)


def _may_join(run: Sequence[File], file: File, least: int) -> bool:
    if (rows_of(run) + file.rows) * max(COLUMNS, *(each.columns for each in (*run, file))) > MAX_CELLS:
        return False
    return least == 2 or (_size(run[-1]) == _size(file) and len(run) < MERGED_FILES)


def _size(file: File) -> int:
    return (max(1, file.rows // ROWS_BASE).bit_length() - 1) // 4


def merge(archive: Archive, state: State, run: Sequence[File], by: str) -> bool:
    """Replaces the files with one that has the same rows. Returns False if another entry of the log came first.

    Raises Corrupt for a file that cannot be read or whose rows differ from the log; Unavailable.
    """
    tables = [archive.table(file) for file in run]
    for file, table in zip(run, tables, strict=True):
        if table.num_rows != file.rows:
            raise Corrupt(f"{archive.where(file)} has {table.num_rows} rows, the log says {file.rows}")
    whole = pa.concat_tables(tables, promote_options="default").combine_chunks()
    del tables
    data = encode(whole.sort_by(BY_DEVICE) if run[0].kind == "readings" else whole)
    del whole
    again = pq.read_table(pa.BufferReader(data), partitioning=None)  # checks the bytes, not the table in memory
    first, last = min((f.first for f in run), key=order_of), max((f.last for f in run), key=order_of)
    merged = describe(run[0].kind, again, data, first, last)
    if merged.rows != rows_of(run) or merged.keys != sum_of(file.keys for file in run):
        raise Corrupt(f"{len(run)} files from {archive.where(run[0])} on were not merged: the result would differ")
    paths.put(archive.store, merged.path, data)
    op: dict[str, Any] = {"op": "replace", "files": [msgspec.to_builtins(merged)], "removed": [f.path for f in run]}
    if not archive.log.commit([op], state, by=by, why="merged"):
        return False
    paths.hide(archive.store, (file.path for file in run))
    paths.show(archive.store, [merged.path])
    return True
