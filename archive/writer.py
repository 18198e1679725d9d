"""Writes batches to the archive: the files, then the commit, then their final names, then the mark in Redis.

A crash in between repeats a batch. If the batch overlaps files in the log, their keys are read, and rows that they have
are left out. If another archiver commits first, the batch is compared with the log again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import msgspec
import pyarrow as pa

from archive import paths
from archive.archive import Archive
from archive.batch import ReadingBatch, outcome_table, without
from archive.layout import KEY, File, Kind, day_of, describe, encode
from archive.state import State, seen_of
from registry.errors import OutcomeUnknown
from zelador.buffer.archive_stream import Raw, Seen, Taken
from zelador.buffer.entry import order_of
from zelador.errors import ZeladorError

log = logging.getLogger(__name__)

TRIES = 20  # of a commit, if other archivers are first


class Unwritable(ZeladorError):
    """A file cannot hold one of these entries. Write them in smaller batches."""


class Written(msgspec.Struct, frozen=True):
    """The result of writing a batch."""

    taken: Taken
    seen: Seen
    files: tuple[File, ...]


class Writer:
    def __init__(self, archive: Archive, by: str) -> None:
        self.archive = archive
        self._by = by
        self.unreadable_outcomes = 0
        self._settled = True  # False: a committed file may have no name among those that count yet

    def write(self, after: str, batch: ReadingBatch, outcomes: Sequence[Raw]) -> Written:
        """Writes a batch that was read after the entry `after`. It is durable afterwards, but not yet marked in Redis.

        Raises Unavailable if the archive cannot be written, Corrupt if its log is damaged or was replaced.
        """
        table = self._table(batch)
        if not self._settled:
            paths.settle(self.archive.store, self.archive.log)
            self._settled = True
        for _ in range(TRIES):
            state = self.archive.log.sync()
            files: list[File] = []
            if table is not None:
                rows = self._new_rows(state, table, batch)
                if rows.num_rows:
                    files.append(
                        self._put("readings", rows, *_entry_range(rows, batch, rows.num_rows < table.num_rows))
                    )
            files += self._put_outcomes(state, outcomes)
            if not files or self._commit(files, state):
                seen = seen_of(self.archive.log.state)
                archived = sum(count for _, count in batch.entries) - batch.unreadable
                taken = Taken(after, batch.entries, archived, batch.unreadable, outcomes)
                return Written(taken, seen, tuple(files))
        raise OutcomeUnknown(f"other archivers were first {TRIES} times; run only one")

    def _table(self, batch: ReadingBatch) -> pa.Table | None:
        """Returns the rows of a batch; None if it has none. Raises Unwritable if a file cannot hold them."""
        try:
            return batch.table() if batch.rows else None
        except (ValueError, OverflowError, TypeError, pa.ArrowException) as error:
            if len(batch) > 1:
                raise Unwritable(f"{len(batch)} entries of the stream cannot be written: {error}") from None
            log.error("the entry %s of the stream cannot be written to the archive: %s", batch.entries[0][0], error)
            batch.unreadable = sum(count for _, count in batch.entries)
            return None

    def _commit(self, files: Sequence[File], state: State) -> bool:
        op: dict[str, Any] = {"op": "add", "files": [msgspec.to_builtins(file) for file in files]}
        if not self.archive.log.commit([op], state, by=self._by):
            return False
        self._settled = False
        paths.show(self.archive.store, (file.path for file in files))
        self._settled = True
        return True

    def _new_rows(self, state: State, table: pa.Table, batch: ReadingBatch) -> pa.Table:
        """Returns the rows that are not in the archive yet."""
        suspects = set(state.overlapping("readings", batch.entries[0][0], batch.entries[-1][0]))
        if batch.replayed:
            asked = table.take(pa.array(batch.replayed))
            for ms, seq in zip(asked["entry_ms"].to_pylist(), asked["entry_seq"].to_pylist(), strict=True):
                suspects |= set(state.overlapping("readings", f"{ms}-{seq}", f"{ms}-{seq}"))
            table = _without_duplicates(table)
        if not suspects:
            return table
        known = [self.archive.table(file, [*KEY, "id"]) for file in sorted(suspects, key=lambda file: file.path)]
        return without(table, pa.concat_tables(known))

    def _put_outcomes(self, state: State, outcomes: Sequence[Raw]) -> list[File]:
        new = [raw for raw in outcomes if not state.overlapping("outcomes", raw.stream_id, raw.stream_id)]
        files: list[File] = []
        for _, group in groupby(new, lambda raw: day_of(raw.stream_id)):
            raws = list(group)
            table, unreadable = outcome_table(raws)
            if unreadable:
                self.unreadable_outcomes += unreadable
                log.error(
                    "%d entries of the stream of outcomes cannot be read; their readings are archived", unreadable
                )
            if table.num_rows:
                files.append(self._put("outcomes", table, raws[0].stream_id, raws[-1].stream_id))
        return files

    def _put(self, kind: Kind, table: pa.Table, first: str, last: str) -> File:
        data = encode(table)
        file = describe(kind, table, data, first, last)
        paths.put(self.archive.store, file.path, data)
        return file


def _without_duplicates(table: pa.Table) -> pa.Table:
    """Returns each reading once. A replayed reading may be in the same batch as its first entry."""
    seen: set[tuple[Any, ...]] = set()
    keep = []
    for key in zip(*(table[name].to_pylist() for name in (*KEY, "id")), strict=True):
        keep.append(key not in seen)
        seen.add(key)
    return table.filter(pa.array(keep))


def _entry_range(rows: pa.Table, batch: ReadingBatch, filtered: bool) -> tuple[str, str]:
    """Returns the first and the last entry of a file with these rows of a batch."""
    first, last = batch.entries[0][0], batch.entries[-1][0]
    if filtered:
        keys = zip(rows["entry_ms"].to_pylist(), rows["entry_seq"].to_pylist(), strict=True)
        own = sorted(key for key in set(keys) if key >= order_of(first))  # a replayed reading has an earlier one
        if own:
            return f"{own[0][0]}-{own[0][1]}", f"{own[-1][0]}-{own[-1][1]}"
    return first, last
