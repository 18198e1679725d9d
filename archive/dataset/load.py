"""Loads data sets: draws the labeled rows, describes the readings, and caches both."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import redis

from archive.dataset import counted as counts
from archive.dataset import rhythm as rhythms
from archive.dataset import steady
from archive.dataset.cache import Cache, Meta
from archive.dataset.describe import describe
from archive.dataset.description import Description
from archive.dataset.digest import Digest
from archive.dataset.engine import Engine, open_engine, text
from archive.dataset.query import Query, as_json, checked, key_of
from archive.dataset.sample import Sample, draw
from archive.dataset.tables import Tables, read_tables
from archive.dataset.thin import MAX_ROWS, columns_of, thinned
from archive.dataset.view import View, of_stream, of_tables
from zelador.buffer import history
from zelador.buffer.keys import Keys
from zelador.labels import past
from zelador.printable import counted as with_noun
from zelador.ranges import Ranges
from zelador.settings import Settings
from zelador.table import Wanted

if TYPE_CHECKING:
    import pyarrow as pa

    from archive.archive import Archive

MAX_LABELED = 20_000  # rows from which the classes are described


@dataclass(frozen=True, slots=True)
class Loaded:
    """A data set. `rows` has `device`, `measured` (ms), `label` and `f0`, `f1` … for the features, in a fixed order.

    `age_s` is the time since it was loaded; None if it was loaded now.
    """

    meta: Meta
    rows: pa.Table
    description: Description | None = None
    age_s: float | None = None


def load(
    client: redis.Redis,
    settings: Settings,
    query: Query,
    archive: Archive | None = None,
    *,
    described: bool = False,
    cached: bool = True,
) -> Loaded:
    """Loads the labeled rows of a query; with `described`, also a description of all its readings.

    Raises InvalidInput, Corrupt, Unavailable, redis.RedisError.
    """
    asked, ranges = checked(query, settings), Ranges.of(settings, query.features or settings.features)
    cache = Cache(settings.datasets)
    key = key_of(asked, ranges.bounds, _state(client, settings.redis.prefix, asked, archive))
    if cached and (found := find(settings, key)) is not None and (found.description is not None or not described):
        return found
    begun = time.monotonic()
    with open_engine(settings.datasets) as engine:
        view = of_stream(engine, client, settings, asked, archive)
        loaded = _load(engine, view, ranges, key, described, begun)
    if cached:
        cache.keep(loaded.meta, loaded.rows, loaded.description)
    return loaded


def load_tables(settings: Settings, path: Path, wanted: Wanted, query: Query, *, described: bool = False) -> Loaded:
    """Loads from a file or a folder of files, like `load`. Raises InvalidInput, Unavailable."""
    begun = time.monotonic()
    tables = read_tables(path, settings, wanted)
    asked = checked(msgspec.structs.replace(query, features=tables.features), settings)
    with open_engine(settings.datasets) as engine:
        view = of_tables(engine, tables, asked)
        key = key_of(asked, str(path.resolve()), tables.columns.num_rows)
        loaded = _load(engine, view, Ranges.of(settings, tables.features), key, described, begun)
    return _without_unknown(loaded, tables)


def find(settings: Settings, id_: str) -> Loaded | None:
    """Returns a cached data set; None if it is not cached."""
    cache = Cache(settings.datasets)
    meta = cache.find(id_)
    rows = None if meta is None else cache.rows(id_)
    if meta is None or rows is None:
        return None
    return Loaded(meta, rows, cache.description(id_), max(0.0, round(time.time() - meta.at, 1)))


def archive_of(settings: Settings) -> Archive | None:
    """Returns the archive of the settings; None if it is switched off. Raises InvalidInput, Unavailable."""
    if not settings.archive.enabled:
        return None
    from archive.archive import open_archive

    return open_archive(settings.archive)


def _load(engine: Engine, view: View, ranges: Ranges, key: str, described: bool, begun: float) -> Loaded:
    sample = draw(engine, view.query, ranges, view.source)
    digest = Digest()
    digest.add(sample.rows)
    meta = Meta(
        id=key,
        query=as_json(view.query),
        source=view.source,
        digest=digest.hex(),
        rows=sample.rows.num_rows,
        labeled=sample.labeled,
        classes=dict(sorted(Counter(sample.rows["label"].to_pylist()).items())),
        features=ranges.features,
        notes=(*view.notes, *sample.notes),
        at=time.time(),
        seconds=0.0,
    )
    found = _described(engine, view, ranges, sample) if described else None
    return Loaded(msgspec.structs.replace(meta, seconds=round(time.monotonic() - begun, 2)), sample.rows, found)


def _described(engine: Engine, view: View, ranges: Ranges, sample: Sample) -> Description:
    labeling = view.labeling
    if view.query.labels:
        names = ", ".join(map(text, view.query.labels))
        engine.run(f"create or replace temp view labeled as select * from joined where label in ({names})")
        engine.run("create or replace temp view plain as select * from labeled")
        labeling = "select * from {table}"
    counted = counts.of_view(engine, ranges)
    columns = thinned(engine, ranges.features, counted.rows, labeling)
    if counted.rows <= MAX_ROWS:
        return describe(columns, ranges, counted)
    step = max(1, sample.rows.num_rows // MAX_LABELED)
    labeled = columns_of(sample.rows.take(np.arange(0, sample.rows.num_rows, step)), ranges.features)
    runs = [steady.of_view(engine, at) for at in range(len(ranges.features))]
    return describe(columns, ranges, counted, rhythms.of_view(engine), labeled, runs)


def _without_unknown(loaded: Loaded, tables: Tables) -> Loaded:
    notes = loaded.meta.notes
    if not loaded.meta.query.keys() & {"from", "to", "devices"} and (count := tables.columns["own"].null_count):
        own = len(tables.notes)
        notes = (
            *notes[:own],
            with_noun(count, "row without a label was", "rows without a label were") + " left out",
            *notes[own:],
        )
    meta = msgspec.structs.replace(
        loaded.meta, knows_devices=tables.has_devices, knows_times=tables.has_times, calendar=tables.calendar,
        notes=notes,
    )  # fmt: skip
    return replace(loaded, meta=meta)


def _state(client: redis.Redis, prefix: str, query: Query, archive: Archive | None) -> tuple[object, ...]:
    """Returns what identifies the data so far: the last readings, labels of periods, and labels of repeats."""
    bounds = history.bounds(client, prefix) if query.source != "archive" else None
    if bounds is not None and query.arrived_to is not None:
        bounds = bounds[0], query.arrived_to
    snapshot = None if archive is None or query.source == "buffer" else archive.snapshot()
    stored = None if snapshot is None else (snapshot.archive, snapshot.last, snapshot.rows)
    labels = past.last_entry(client, prefix) if query.labels_at is None else ""
    late = [int(client.hlen(name)) for name in Keys(prefix).late_labels]
    return bounds, stored, labels, late
