"""Reads the rows that a run trains on, by a query: from the archive and the buffer, or from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import redis

from archive.dataset.load import Loaded, archive_of, load, load_tables
from archive.dataset.query import Query, query_of
from trainer.dataset import Choice, Dataset, missing_note
from zelador.errors import InvalidInput
from zelador.messages import iso
from zelador.messages.classes import named
from zelador.settings import Settings
from zelador.table import Wanted
from zelador.training_queue import RunRequest


def query_for(settings: Settings, request: RunRequest) -> Query:
    """Returns the query of a run: its `dataset`, `devices` and `classes`, and the settings for the rest.

    Raises InvalidInput if `devices` or `classes` are named twice, or the query is invalid.
    """
    choice = Choice.of(settings)
    body: dict[str, object] = {"cap": choice.max_rows, "fewest": choice.fewest, **(request.get("dataset") or {})}
    for name, given in (("devices", request.get("devices")), ("labels", request.get("classes"))):
        if given and body.get(name):
            raise InvalidInput(f"{name} are named both in the data set and beside it; name them once")
        if given:
            body[name] = given
    return query_of(body, settings)


def from_stream(client: redis.Redis, settings: Settings, query: Query) -> Dataset:
    """Reads from the archive and the buffer. Raises InvalidInput, Corrupt, Unavailable, redis.RedisError."""
    return of_loaded(load(client, settings, query, archive_of(settings)))


def from_files(path: Path, settings: Settings, wanted: Wanted, query: Query) -> Dataset:
    """Reads from a file, or from the files of a folder. Raises InvalidInput, Unavailable."""
    found = of_loaded(load_tables(settings, path, wanted, query))
    notes = list(found.notes)
    if strange := [name for name in found.features if name not in settings.features]:
        notes.append(
            f"{named(strange)}: not among ZELADOR_FEATURES ({', '.join(settings.features)}), so that no live reading "
            "can feed a model of these data; map the columns in ZELADOR_FIELDS, or change ZELADOR_FEATURES"
        )
    return replace(found, notes=tuple(notes), query=None)  # a query repeats what is in the archive or the buffer


def of_loaded(loaded: Loaded) -> Dataset:
    meta, rows = loaded.meta, loaded.rows
    columns = [rows[f"f{at}"].fill_null(float("nan")).to_numpy() for at in range(len(meta.features))]
    matrix = np.ascontiguousarray(np.column_stack(columns), dtype=np.float64)
    times = rows["measured"].to_numpy().astype(np.int64)
    notes = list(meta.notes)
    if missing := int(np.isnan(matrix).sum()):
        notes.append(missing_note(missing))
    known = meta.knows_times and meta.calendar and len(times) > 0
    return Dataset(
        matrix,
        tuple(rows["label"].to_pylist()),
        meta.features,
        meta.source,
        iso(int(times.min())) if known else None,
        iso(int(times.max())) if known else None,
        tuple(notes),
        tuple(rows["device"].to_pylist()) if meta.knows_devices else None,
        times if meta.knows_times else None,
        meta.query,
        meta.digest,
    )


def repeated(facts: Mapping[str, object], settings: Settings) -> Query:
    """Returns the query of an earlier run, from the data facts in its document. Raises InvalidInput if it has none."""
    query = facts.get("query")
    if not isinstance(query, dict):
        raise InvalidInput("this run did not record its query; only runs on the archive or the buffer do")
    return query_of(query, settings)
