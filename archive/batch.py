"""Readings and predictions on their way from Redis to a file, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from archive.layout import (
    KEY,
    OUTCOME_COLUMNS,
    OUTCOME_SCHEMA,
    READING_COLUMNS,
    column_of,
    day_of,
    reading_schema,
)
from zelador.buffer.archive_stream import Raw
from zelador.buffer.entry import Entry, order_of
from zelador.buffer.outcome_batch import NONE, SCALE, decode_outcomes, numbers

MAX_INT64 = 2**63 - 1


class ReadingBatch:
    """Entries of the stream that follow each other, of one day."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []  # ids, with the readings that the ledger counts for each
        self.rows = self.bytes = self.unreadable = 0
        self.replayed: list[int] = []  # rows that were in the stream before
        self._columns: dict[str, list[Any]] = {name: [] for name, _ in READING_COLUMNS}
        self._values: list[tuple[tuple[str, ...], list[tuple[float | None, ...]]]] = []  # features, and rows of values

    def __len__(self) -> int:
        return len(self.entries)

    def takes(self, stream_id: str) -> bool:
        """False if the entry is of another day."""
        return not self.entries or day_of(stream_id) == day_of(self.entries[0][0])

    def add(self, stream_id: str, entry: Entry) -> None:
        self.bytes += len(entry.raw)
        replayed = entry.replayed is not None
        self.entries.append((stream_id, 0 if replayed else entry.count))
        arrivals, width = entry.arrivals, len(entry.features)
        if arrivals is None or any(len(each.values) != width for arrival in arrivals for each in arrival.readings):
            self.unreadable += 0 if replayed else entry.count
            return
        if not self._values or self._values[-1][0] != entry.features:
            self._values.append((entry.features, []))
        values, columns = self._values[-1][1], self._columns
        ms, seq, place = _where(entry.replayed or stream_id)
        begin = self.rows
        for arrival in arrivals:
            device, received = arrival.device_id, arrival.received_at
            for reading in arrival.readings:
                columns["id"].append(reading.id)
                columns["device_id"].append(device)
                columns["measured_at"].append(reading.measured_at)
                columns["received_at"].append(received)
                columns["seq"].append(reading.seq)
                columns["label"].append(reading.label)
                columns["place"].append(place)
                values.append(reading.values)
                place += 1
                self.rows += 1
        count = self.rows - begin
        columns["entry_ms"] += [ms] * count
        columns["entry_seq"] += [seq] * count
        if replayed:
            self.replayed += range(begin, self.rows)

    def table(self) -> pa.Table:
        """All rows, in order."""
        features = list(dict.fromkeys(name for names, _ in self._values for name in names))
        columns: dict[str, Any] = dict(self._columns)
        columns["seq"] = [None if seq is None or not -MAX_INT64 <= seq <= MAX_INT64 else seq for seq in columns["seq"]]
        parts: dict[str, list[Any]] = {name: [] for name in features}
        for names, rows in self._values:
            matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
            for place, name in enumerate(names):
                parts[name].append(pa.array(matrix[:, place], from_pandas=True))  # a missing value is null
            for name in set(features) - set(names):
                parts[name].append(pa.nulls(len(rows), pa.float64()))
        schema = reading_schema(features)
        for name in features:
            columns[column_of(name)] = pa.chunked_array(parts[name], pa.float64())
        return pa.table(columns, schema=schema).combine_chunks()


def outcome_table(batches: Sequence[Raw]) -> tuple[pa.Table, int]:
    """The predictions of these batches; and the number of batches that cannot be read."""
    columns: dict[str, list[Any]] = {name: [] for name, _ in OUTCOME_COLUMNS}
    unreadable = 0
    for raw in batches:
        try:
            batch = decode_outcomes(raw.data)
            codes, confidences = numbers(batch.codes), numbers(batch.confidences)
            at = int(datetime.fromisoformat(batch.at).timestamp() * 1000)
            wheres = [_where(entry) for entry in batch.entries]
            if not len(codes) == len(confidences) == sum(batch.counts) or len(wheres) != len(batch.counts):
                raise ValueError("columns of different lengths")
            labels = [None if code == NONE else batch.labels[code] for code in codes]
        except (msgspec.DecodeError, ValueError, IndexError):
            unreadable += 1
            continue
        at_row, known = 0, 0
        for (ms, seq, first), count in zip(wheres, batch.counts, strict=True):
            for place in range(first, first + count):
                label = labels[at_row]
                if label is not None:
                    confidence = confidences[at_row]
                    columns["entry_ms"].append(ms)
                    columns["entry_seq"].append(seq)
                    columns["place"].append(place)
                    columns["label"].append(label)
                    columns["confidence"].append(None if confidence == NONE else confidence / SCALE)
                    known += 1
                at_row += 1
        columns["model"] += [batch.model] * known
        columns["model_digest"] += [batch.digest] * known
        columns["selection"] += [batch.selection] * known
        columns["predicted_at"] += [at] * known
    return pa.table(columns, schema=OUTCOME_SCHEMA), unreadable


def _where(entry: str) -> tuple[int, int, int]:
    """The key of the first reading of an entry in an OutcomeBatch."""
    stream_id, _, place = entry.partition(" ")
    return *order_of(stream_id), int(place or 0)


def without(table: pa.Table, known: pa.Table) -> pa.Table:
    """The rows whose keys and ids are not in `known`, in order."""
    names = [*KEY, "id"]
    asked = table.select(names).append_column("row", pa.array(np.arange(table.num_rows)))
    left = asked.join(known.select(names).group_by(names).aggregate([]), keys=names, join_type="left anti")
    return table.take(pa.array(np.sort(left["row"].to_numpy())))
