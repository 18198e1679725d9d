"""Archives for tests: files as the archiver writes them, named by a log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import redis

from archive.archive import Archive, open_archive
from archive.layout import describe, encode, reading_schema
from zelador.buffer.history import Buffered, walk


def archive_buffer(
    folder: Path, client: redis.Redis, prefix: str, features: Sequence[str], last: str = "+", files: int = 1
) -> Archive:
    """Archives the readings in the buffer up to the entry `last` that are not archived yet."""
    archive = open_archive(folder, make=True)
    after = archive.snapshot().last
    rows = [each for page in walk(client, prefix, after, last) for each in page]
    entries = list(dict.fromkeys(each.entry for each in rows))
    size = max(1, -(-len(entries) // files))
    for at in range(0, len(entries), size):
        part = set(entries[at : at + size])
        add_file(archive, table_of([each for each in rows if each.entry in part], features))
    return archive


def table_of(rows: Sequence[Buffered], features: Sequence[str]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in reading_schema(features).names}
    for each in rows:
        ms, _, seq = each.entry.partition("-")
        values = dict(zip(each.features, each.reading.values, strict=True))
        row = (
            each.reading.id, each.device, each.reading.measured_at, each.received_at, each.reading.seq,
            each.reading.label, int(ms), int(seq), each.place, *(values.get(name) for name in features),
        )  # fmt: skip
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return pa.table(columns, schema=reading_schema(features))


def add_file(archive: Archive, table: pa.Table) -> None:
    """Rows in the order of arrival."""
    first, last = (f"{table['entry_ms'][at].as_py()}-{table['entry_seq'][at].as_py()}" for at in (0, -1))
    data = encode(table)
    file = describe("readings", table, data, first, last)
    assert archive.store.create(file.path, data)
    added = {"op": "add", "files": [msgspec.to_builtins(file)]}
    assert archive.log.commit([added], archive.log.sync(), by="test")


def merge_all(archive: Archive) -> None:
    """Replaces all files by one."""
    snapshot = archive.snapshot()
    table = pa.concat_tables([archive.table(file) for file in snapshot.readings], promote_options="default")
    data = encode(table)
    merged = describe("readings", table, data, snapshot.readings[0].first, snapshot.readings[-1].last)
    archive.store.create(merged.path, data)
    paths = [file.path for file in snapshot.readings]
    replaced = {"op": "replace", "removed": paths, "files": [msgspec.to_builtins(merged)]}
    assert archive.log.commit([replaced], archive.log.sync(), by="test")
