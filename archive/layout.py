"""The layout of the archive: names and columns of its files, and their encoding. Pure.

    log/00000001.json                                  one entry per change; only the log says which files count
    checkpoints/00000100.json.zst                      derived from the log, for a fast start
    readings/day=2026-11-26/<first>-<last>-<sha8>.parquet   one row per reading
    outcomes/day=2026-11-26/<first>-<last>-<sha8>.parquet   one row per prediction

A file is written once and never changed. `first` and `last` are the ids of the first and last entry of the Redis
stream from which it was made; `day` is the day (UTC) of these ids, on which the readings were received, or classified.

Columns of readings:

    id            text       id of the reading, from the device's message or made by Zelador
    device_id     text
    measured_at   timestamp  in ms, UTC
    received_at   timestamp  in ms, UTC
    seq           int64      the device's sequence number; null if it sends none
    label         text       the label in the message or in an early repeat of it, or null. Not labels of periods
    entry_ms      int64      the entry of the stream `readings` (`<entry_ms>-<entry_seq>`) that contained the reading
    entry_seq     int64
    place         int32      its position among the readings of that entry, from 0
    <feature>     float64    a column for each of the plant's features; null if the value is missing

Columns of outcomes: `entry_ms`, `entry_seq` and `place` are the reading's; the other columns are of its prediction.

    label, model, model_digest   text
    confidence    float32    probability of the label, to four decimals; null for a model without probabilities
    selection     int64      number of the registry's log entry that selected the model
    predicted_at  timestamp  in ms, UTC

(`entry_ms`, `entry_seq`, `place`) identifies a reading in both, so that a prediction needs few bytes. A reading that
waits or was set aside has no outcome. After a crash it may have several: the one with the latest `predicted_at` counts.

A file's rows are in the order in which they arrived; in merged files of readings, by device and then in that order.

A feature that has the name of another column is stored as `value_<name>`; `feature_columns` resolves this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from zelador.buffer.entry import order_of

Kind = Literal["readings", "outcomes"]

MOMENT = pa.timestamp("ms", "UTC")
KEY = ("entry_ms", "entry_seq", "place")
READING_COLUMNS = (
    ("id", pa.string()),
    ("device_id", pa.string()),
    ("measured_at", MOMENT),
    ("received_at", MOMENT),
    ("seq", pa.int64()),
    ("label", pa.string()),
    ("entry_ms", pa.int64()),
    ("entry_seq", pa.int64()),
    ("place", pa.int32()),
)
OUTCOME_COLUMNS = (
    ("entry_ms", pa.int64()),
    ("entry_seq", pa.int64()),
    ("place", pa.int32()),
    ("label", pa.string()),
    ("confidence", pa.float32()),
    ("model", pa.string()),
    ("model_digest", pa.string()),
    ("selection", pa.int64()),
    ("predicted_at", MOMENT),
)
OWN = frozenset(name for name, _ in READING_COLUMNS)
FEATURE = b"zelador.feature"  # key in the metadata of a feature's column, for the name of the feature

IN_STEPS = ("measured_at", "received_at", "predicted_at", "seq", "entry_ms", "entry_seq", "place", "selection")
FEW = ("device_id", "label", "model", "model_digest", "confidence")  # columns with few different values
ROW_GROUP = 131_072
ZSTD_LEVEL = 3
DAY_MS = 86_400_000
MASK = (1 << 64) - 1


class File(msgspec.Struct, frozen=True):
    """A file of the archive, as in the log. Times are in ms since 1970 UTC, when the readings were measured.

    For outcomes, the times are of the predictions. `keys` identifies the set of the rows' keys: a file that replaces
    others has the same number of rows, and the sum of their `keys`. `columns` is 0 in entries of earlier versions.
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    first: str  # ids of entries of the stream that it was made from, as Redis writes them
    last: str
    begin: int  # of its rows' times
    end: int
    keys: str  # 16 hex digits
    columns: int = 0

    @property
    def kind(self) -> Kind:
        return "readings" if self.path.startswith("readings/") else "outcomes"

    @property
    def day(self) -> str:
        """The day (UTC) on which the rows arrived, such as "2026-11-26"."""
        return self.path.split("/")[1].removeprefix("day=")


def reading_schema(features: Iterable[str]) -> pa.Schema:
    own = [pa.field(name, kind) for name, kind in READING_COLUMNS]
    values = [pa.field(column_of(name), pa.float64(), metadata={FEATURE: name.encode()}) for name in features]
    return pa.schema([*own, *values])


OUTCOME_SCHEMA = pa.schema(OUTCOME_COLUMNS)


def column_of(feature: str) -> str:
    """Returns the name of the column with a feature's values."""
    return f"value_{feature}" if feature in OWN or feature.startswith("value_") else feature


def feature_columns(schema: pa.Schema) -> dict[str, str]:
    """Returns the column of each feature in a file of readings."""
    return {
        field.metadata[FEATURE].decode(): field.name for field in schema if field.metadata and FEATURE in field.metadata
    }


def encode(table: pa.Table) -> bytes:
    """Encodes a table as the bytes of a file. Equal tables have equal bytes."""
    names = table.column_names
    few = [name for name in names if name in FEW]
    apart: dict[str, str] = {name: "DELTA_BINARY_PACKED" for name in names if name in IN_STEPS}
    for name in names:
        if name in FEW or name in apart or not pa.types.is_float64(table.schema.field(name).type):
            continue
        if table.num_rows and len(table[name].unique()) * 2 < table.num_rows:
            few.append(name)
        else:
            apart[name] = "BYTE_STREAM_SPLIT"
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=few,
        column_encoding=apart,
        row_group_size=ROW_GROUP,
        write_page_checksum=True,
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data


def describe(kind: Kind, table: pa.Table, data: bytes, first: str, last: str) -> File:
    """Returns what the log stores about a file with `table`, which must not be empty."""
    digest = hashlib.sha256(data).hexdigest()
    moments = table["measured_at" if kind == "readings" else "predicted_at"].cast(pa.int64()).to_numpy()
    path = f"{kind}/day={day_of(first)}/{first}-{last}-{digest[:8]}.parquet"
    begin, end = int(moments.min()), int(moments.max())
    return File(path, table.num_rows, len(data), digest, first, last, begin, end, keys_of(table), table.num_columns)


def keys_of(table: pa.Table) -> str:
    """Returns the sum of the hashes of the rows' keys: the same in any order, and for any division into files."""
    moments, seqs, places = (table[name].to_numpy().astype(np.uint64) for name in KEY)
    with np.errstate(over="ignore"):
        mixed = _mixed(_mixed(_mixed(moments) ^ seqs) ^ places)
        return f"{int(mixed.sum(dtype=np.uint64)):016x}"


def sum_of(keys: Iterable[str]) -> str:
    """Returns the `keys` of several files together."""
    return f"{sum(int(each, 16) for each in keys) & MASK:016x}"


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mixes the bits (splitmix64): each bit of a value affects each bit of the result."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def day_of(entry: str) -> str:
    """Returns the day (UTC) of an entry's id."""
    return datetime.fromtimestamp(order_of(entry)[0] / 1000, timezone.utc).strftime("%Y-%m-%d")


def rows_of(files: Mapping[str, File] | Iterable[File]) -> int:
    return sum(each.rows for each in (files.values() if isinstance(files, Mapping) else files))
