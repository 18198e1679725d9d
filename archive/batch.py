"""Turns readings and predictions from Redis into columns for a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from archive.layout import (
    KEY,
    MOMENT,
    OUTCOME_SCHEMA,
    READING_COLUMNS,
    column_of,
    day_of,
    reading_schema,
)
from zelador.buffer.archive_stream import Raw
from zelador.buffer.entry import Entry, order_of
from zelador.buffer.outcome_batch import NONE, SCALE, OutcomeBatch, decode_outcomes
from zelador.messages import Reading

MAX_INT64 = 2**63 - 1


class ReadingBatch:
    """Consecutive entries of the stream, all of one day."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []  # id, and the number of readings that the ledger counts for it
        self.rows = self.bytes = self.unreadable = 0
        self.replayed: list[int] = []  # rows that were in the stream before
        self._columns: dict[str, list[Any]] = {name: [] for name, _ in READING_COLUMNS}
        self._contents: list[str] = []  # hashes of what the messages say
        self._values: list[tuple[tuple[str, ...], list[tuple[float | None, ...]]]] = []  # features, and rows of values

    def __len__(self) -> int:
        return len(self.entries)

    def takes(self, stream_id: str) -> bool:
        """Returns whether the entry is of the batch's day."""
        return not self.entries or day_of(stream_id) == day_of(self.entries[0][0])

    def add(self, stream_id: str, entry: Entry) -> None:
        self.bytes += len(entry.raw)
        replayed, arrivals = entry.replayed is not None, entry.arrivals
        self.entries.append((stream_id, 0 if replayed else entry.count))
        readings = [reading for arrival in arrivals or () for reading in arrival.readings]
        values = [reading.values for reading in readings]
        if arrivals is None or set(map(len, values)) != {len(entry.features)}:
            self.unreadable += 0 if replayed else entry.count
            return
        if not self._values or self._values[-1][0] != entry.features:
            self._values.append((entry.features, []))
        self._values[-1][1].extend(values)
        columns, count = self._columns, len(readings)
        ms, seq, place = _reading_key(entry.replayed or stream_id)
        columns["id"] += [reading.id for reading in readings]
        columns["device_id"] += [arrival.device_id for arrival in arrivals for _ in arrival.readings]
        columns["measured_at"] += [reading.measured_at for reading in readings]
        columns["received_at"] += [arrival.received_at for arrival in arrivals for _ in arrival.readings]
        columns["seq"] += [reading.seq for reading in readings]
        columns["label"] += [reading.label for reading in readings]
        self._contents += [reading.content for reading in readings]
        columns["entry_ms"] += [ms] * count
        columns["entry_seq"] += [seq] * count
        columns["place"] += range(place, place + count)
        if replayed:
            self.replayed += range(self.rows, self.rows + count)
        self.rows += count

    def add_labels(self, sent: Callable[[Sequence[tuple[str, Reading]]], Sequence[str | None]]) -> None:
        """Adds the labels that came with repeats. `sent` returns the label that a device sent later with a reading."""
        columns = self._columns
        labels = columns["label"]
        places = [place for place, label in enumerate(labels) if label is None]
        found = sent([
            (columns["device_id"][at], Reading(columns["id"][at], (), 0, content=self._contents[at])) for at in places
        ])  # fmt: skip
        for place, label in zip(places, found, strict=True):
            labels[place] = label

    def table(self) -> pa.Table:
        """Returns all rows, in order."""
        features = list(dict.fromkeys(name for names, _ in self._values for name in names))
        columns: dict[str, Any] = dict(self._columns)
        columns["seq"] = [None if seq is None or not -MAX_INT64 <= seq <= MAX_INT64 else seq for seq in columns["seq"]]
        parts: dict[str, list[Any]] = {name: [] for name in features}
        for names, rows in self._values:
            matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))  # a missing value is NaN
            for place, name in enumerate(names):
                column = np.ascontiguousarray(matrix[:, place])
                parts[name].append(pa.array(column, mask=np.isnan(column)))
            for name in set(features) - set(names):
                parts[name].append(pa.nulls(len(rows), pa.float64()))
        schema = reading_schema(features)
        for name in features:
            columns[column_of(name)] = pa.chunked_array(parts[name], pa.float64())
        return pa.table(columns, schema=schema).combine_chunks()


def outcome_table(batches: Sequence[Raw]) -> tuple[pa.Table, int]:
    """Returns the predictions of these batches, and the number of batches that cannot be read."""
    tables, unreadable = [OUTCOME_SCHEMA.empty_table()], 0
    for raw in batches:
        try:
            tables.append(_outcomes(decode_outcomes(raw.data)))
        except (msgspec.DecodeError, ValueError, IndexError, OverflowError, pa.ArrowException):
            unreadable += 1
    return pa.concat_tables(tables).combine_chunks(), unreadable


def _outcomes(batch: OutcomeBatch) -> pa.Table:
    """Returns the predictions of a batch.

    Raises ValueError, IndexError or an error of Arrow for a batch that no worker could have written.
    """
    codes, confidences = np.frombuffer(batch.codes, "<u2"), np.frombuffer(batch.confidences, "<u2")
    counts = np.array(batch.counts, np.int64)
    keys = np.array([_reading_key(entry) for entry in batch.entries], np.int64).reshape(-1, 3)
    if (counts < 0).any() or not len(codes) == len(confidences) == counts.sum() or len(keys) != len(counts):
        raise ValueError("columns of different lengths")
    known = codes != NONE
    if codes[known].max(initial=0) >= max(1, len(batch.labels)):
        raise ValueError("a label that is not in the list")
    places = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)  # within their entries
    rows = int(known.sum())
    moment = int(datetime.fromisoformat(batch.at).timestamp() * 1000)
    columns = [
        pa.array(np.repeat(keys[:, 0], counts)[known]),
        pa.array(np.repeat(keys[:, 1], counts)[known]),
        pa.array((places + np.repeat(keys[:, 2], counts))[known].astype(np.int32)),
        pa.array(list(batch.labels), pa.string()).take(pa.array(codes[known].astype(np.int32))),
        pa.array((confidences[known] / SCALE).astype(np.float32), mask=confidences[known] == NONE),
        pa.repeat(batch.model, rows),
        pa.repeat(batch.digest, rows),
        pa.repeat(batch.selection, rows),
        pa.repeat(pa.scalar(moment, MOMENT), rows),
    ]
    return pa.table(columns, schema=OUTCOME_SCHEMA)


def _reading_key(entry: str) -> tuple[int, int, int]:
    """Returns the key (ms, seq, place) of an entry's first reading in an OutcomeBatch, or of a replayed reading."""
    stream_id, _, place = entry.partition(" ")
    return *order_of(stream_id), int(place or 0)


def without(table: pa.Table, known: pa.Table) -> pa.Table:
    """Returns the rows whose keys and ids are not in `known`, in order."""
    names = [*KEY, "id"]
    asked = table.select(names).append_column("row", pa.array(np.arange(table.num_rows)))
    left = asked.join(known.select(names).group_by(names).aggregate([]), keys=names, join_type="left anti")
    return table.take(pa.array(np.sort(left["row"].to_numpy())))
