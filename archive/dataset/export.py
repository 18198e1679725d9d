"""Exports the readings of a query to a file, with their labels, within the engine's limits on memory and disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import redis

from archive.dataset.digest import Digest
from archive.dataset.engine import Engine, open_engine, quoted, text
from archive.dataset.query import Query, as_json, checked
from archive.dataset.view import View, of_stream
from zelador.errors import InvalidInput, Unavailable
from zelador.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from archive.archive import Archive

ROW_GROUP = 122_880
ZSTD_LEVEL = 3


class Exported(msgspec.Struct, frozen=True):
    """The result of an export. `digest` is of the rows, in the order in which they were written."""

    rows: int
    digest: str
    query: dict[str, object]
    notes: tuple[str, ...]


def export(
    client: redis.Redis,
    settings: Settings,
    query: Query,
    archive: Archive | None,
    path: Path,
    form: Literal["parquet", "csv"],
) -> Exported:
    """Writes all readings of the query, labeled or not, ordered by time and device. The file is complete or absent.

    Columns: `id`, `device_id`, `measured_at`, `received_at`, `label` and the features. The same query on the same data
    writes the same bytes.

    Raises InvalidInput, Corrupt, Unavailable, redis.RedisError.
    """
    import pyarrow as pa

    asked, digest, rows = checked(query, settings), Digest(), 0
    if asked.features and (taken := next((n for n in asked.features if n in OWN), None)):
        raise InvalidInput(f"{taken!r} is a column of every export; name the feature otherwise")
    with open_engine(settings.datasets) as engine, _complete(path) as file:
        view = of_stream(engine, client, settings, asked, archive)
        schema = _schema(pa, view)
        with _writer(file, schema, form) as writer:
            for batch in engine.batches(_statement(view)):
                part = pa.Table.from_batches([batch]).cast(schema)
                digest.add(part)
                rows += part.num_rows
                writer.write_table(part if form == "parquet" else _with_text_times(part))
    return Exported(rows, digest.hex(), as_json(view.query), view.notes)


OWN = ("id", "device_id", "measured_at", "received_at", "label")


def exported(engine: Engine, view: View) -> pa.Table:
    """Returns the same rows in memory."""
    import pyarrow as pa

    return engine.table(_statement(view)).cast(_schema(pa, view))


def _statement(view: View) -> str:
    values = [f"f{at} as {quoted(name)}" for at, name in enumerate(view.query.features)]
    chosen = ""
    if view.query.labels:
        chosen = f"where label in ({', '.join(map(text, view.query.labels))})"
    return (
        "select id, device as device_id, make_timestamp_ms(measured) as measured_at, make_timestamp_ms(received) as "
        f"received_at, label, {', '.join(values)} from labeled {chosen} order by measured, device, ms, seq, place"
    )


def _schema(pa: Any, view: View) -> pa.Schema:
    moment = pa.timestamp("ms", "UTC")
    kinds = (pa.string(), pa.string(), moment, moment, pa.string())
    return pa.schema([*zip(OWN, kinds, strict=True), *((name, pa.float64()) for name in view.query.features)])


@contextmanager
def _complete(path: Path) -> Iterator[Any]:
    """Opens a temporary file that is renamed to `path` at the end."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror or error}); choose another file") from None
    finally:
        part.unlink(missing_ok=True)


def _with_text_times(rows: pa.Table) -> pa.Table:
    """Formats times as in messages, such as 2026-11-24T10:00:00.000Z."""
    import pyarrow.compute as pc

    for name in ("measured_at", "received_at"):
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pc.strftime(rows[name], "%Y-%m-%dT%H:%M:%SZ"))
    return rows


def _writer(file: Any, schema: pa.Schema, form: str) -> Any:
    if form == "csv":
        from pyarrow import csv

        return csv.CSVWriter(file, _with_text_times(schema.empty_table()).schema)
    import pyarrow.parquet as parquet

    return parquet.ParquetWriter(
        file, schema, compression="zstd", compression_level=ZSTD_LEVEL, write_page_checksum=True
    )
