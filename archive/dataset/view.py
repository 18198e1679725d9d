"""Adds the readings of a query to the engine, from the archive and the buffer, each reading once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
import redis

from archive.dataset import archived, buffer
from archive.dataset.engine import Engine
from archive.dataset.labeled import LABEL, add_stretches
from archive.dataset.query import Query, matching
from archive.dataset.tables import Tables
from zelador.buffer import history
from zelador.buffer.entry import order_of
from zelador.buffer.keys import Keys
from zelador.errors import InvalidInput
from zelador.labels.past import Past, labels_as_of
from zelador.messages.classes import named
from zelador.settings import Settings

if TYPE_CHECKING:
    from archive.archive import Archive

KEYS = ("device", "measured", "received", "ms", "seq", "place", "id", "own")
MAX_MS = 253_402_300_799_999  # the end of the year 9999


class View(msgspec.Struct, frozen=True):
    """Describes the engine's views. `plain` has the readings: `device`, `measured`, `received`, `ms`, `seq`, `place`,
    `id`, `own` (the label in the message), and `f0`, `f1` … for the features. `labeled` adds `label`, and is slower.

    `labeling` is the SQL statement that adds labels to the readings of a table `{table}` with the columns of `plain`.
    `query` has `labels_at` and `arrived_to`, so that it always returns the same readings. `source` names their origin.
    """

    query: Query
    source: str
    labeling: str
    notes: tuple[str, ...] = ()


def of_stream(engine: Engine, client: redis.Redis, settings: Settings, query: Query, archive: Archive | None) -> View:
    """Adds readings of the archive, the buffer, or both.

    Raises InvalidInput, Corrupt, Unavailable, redis.RedisError.
    """
    if archive is None and query.source == "archive":
        raise InvalidInput("there is no archive; switch it on (ZELADOR_ARCHIVE__ENABLED), or leave out the source")
    past = labels_as_of(client, settings.redis.prefix, query.labels_at)
    used = None if query.source == "buffer" else archive
    begun = None if used is None else archived.last_of(used)
    first: tuple[int, int] | None = None  # first entry that is read from the buffer, even if it is archived
    read_to = begun
    if query.source != "archive":
        late = any(client.hlen(name) for name in Keys(settings.redis.prefix).late_labels)
        first, last = _read_buffer(engine, client, settings.redis.prefix, query, None if late else begun)
        first = first if late else None
        read_to = max(last, begun) if last is not None and begun is not None else last or begun
    # Listed after reading the buffer, because readings that were archived meanwhile may have left the buffer.
    found = archived.Archived((), None) if used is None else archived.files_of(used, query, engine)
    until = order_of(query.arrived_to) if query.arrived_to is not None else read_to or (0, 0)
    parts = []
    if found.paths:
        below = "" if first is None else f" and {_below('entry_ms', 'entry_seq', first)}"
        where = f"{_between(query)} and {_up_to('entry_ms', 'entry_seq', until)}{below}"
        parts.append(archived.select(engine, found.paths, query.features, where))
    if query.source != "archive":
        columns = ", ".join((*KEYS, *(f"f{at}" for at in range(len(query.features)))))
        beyond = "" if found.last is None or first is not None else f" and not {_up_to('ms', 'seq', found.last)}"
        parts.append(f"select {columns} from buffer where true{beyond}{_measured(query)}")
    whole = "the buffer" if used is None else "the archive with the buffer"
    source = {"all": whole, "archive": "the archive", "buffer": "the buffer"}[query.source]
    pinned = msgspec.structs.replace(query, labels_at=past.at, arrived_to=f"{until[0]}-{until[1]}")
    view = _finish(engine, parts, pinned, source, past)
    return msgspec.structs.replace(view, notes=found.damaged)


def _read_buffer(
    engine: Engine, client: redis.Redis, prefix: str, query: Query, archived_to: tuple[int, int] | None
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Adds the table `buffer` with the entries after `archived_to`. Returns the first and the last entry, or None.

    A label that arrived late, with a repeat, is known only for readings in the buffer.
    """
    bounds = history.bounds(client, prefix)
    until = query.arrived_to or (bounds[1] if bounds else None)
    after = None if archived_to is None else f"{archived_to[0]}-{archived_to[1]}"
    pages = history.walk(client, prefix, after, until) if until is not None else iter(())
    found = buffer.table_of(pages, query.features)
    engine.add("buffer", found)
    first = (found["ms"][0].as_py(), found["seq"][0].as_py()) if found.num_rows else None
    return first, None if until is None else order_of(until)


def _up_to(ms: str, seq: str, entry: tuple[int, int]) -> str:
    return f"({ms} < {entry[0]} or ({ms} = {entry[0]} and {seq} <= {entry[1]}))"


def _below(ms: str, seq: str, entry: tuple[int, int]) -> str:
    return f"({ms} < {entry[0]} or ({ms} = {entry[0]} and {seq} < {entry[1]}))"


def of_tables(engine: Engine, tables: Tables, query: Query) -> View:
    """Adds readings of files. Raises InvalidInput if the query needs columns that they do not have."""
    if not tables.calendar and (query.begin is not None or query.end is not None):
        raise InvalidInput(f"{tables.source} does not say when its rows were measured; name the column with --time")
    if not tables.has_devices and query.devices:
        raise InvalidInput(f"{tables.source} does not say of which device its rows are; name the column with --device")
    engine.add("tables", tables.columns)
    parts = [f"select * from tables where true{_measured(query)}"]
    pinned = msgspec.structs.replace(query, features=tables.features)
    view = _finish(engine, parts, pinned, tables.source, None)
    return msgspec.structs.replace(view, notes=tables.notes)


def _finish(engine: Engine, parts: Sequence[str], query: Query, source: str, past: Past | None) -> View:
    count = len(query.features)
    values = [f"if(isfinite(f{at}), f{at}, null) as f{at}" for at in range(count)]
    if not parts:
        empty = [*(f"null::varchar as {name}" for name in ("device", "id", "own")),
                 *(f"null::bigint as {name}" for name in ("measured", "received", "ms", "seq", "place")),
                 *(f"null::double as f{at}" for at in range(count))]  # fmt: skip
        parts = [f"select {', '.join(empty)} where false"]
    engine.run(f"create or replace temp view readings as {' union all by name '.join(parts)}")
    chosen = ""
    if query.devices:
        _choose_devices(engine, query.devices, source)
        chosen = "where r.device in (select device from chosen)"
    ((begin, end),) = engine.rows("select min(measured), max(measured) from readings")
    timelines = past.timelines() if past is not None and begin is not None else {}
    join = add_stretches(engine, timelines, _named(engine, query, timelines), begin or 0, end or 0)
    columns = ", ".join((*(f"r.{name}" for name in KEYS), *values))
    engine.run(f"create or replace temp view found as select {columns} from readings r {chosen}")
    engine.run("create or replace temp view plain as select * from found")
    labeling = f"select r.*, {LABEL} as label from {{table}} r {join}"
    engine.run(f"create or replace temp view joined as {labeling.format(table='found')}")
    engine.run("create or replace temp view labeled as select * from joined")
    return View(query, source, labeling)


def _choose_devices(engine: Engine, patterns: Sequence[str], source: str) -> None:
    import pyarrow as pa

    devices = [str(name) for (name,) in engine.rows("select distinct device from readings order by device")]
    names, unmatched = matching(patterns, devices)
    if unmatched:
        raise InvalidInput(
            f"devices (--devices): in this period {source} has no device {unmatched[0]!r}, but "
            f"{named(devices) if devices else 'no reading at all'}"
        )
    engine.add("chosen_names", pa.table({"device": pa.array(names, pa.string())}))
    engine.run("create or replace temp table chosen as select device from chosen_names")


def _named(engine: Engine, query: Query, timelines: Iterable[str]) -> list[str]:
    """Returns the devices whose labels are needed."""
    if not query.devices:
        return sorted(timelines)
    chosen = {str(name) for (name,) in engine.rows("select device from chosen")}
    return sorted(chosen & set(timelines))


def _between(query: Query) -> str:
    """Returns the SQL condition for the period on the files' own column, so that parts of files are skipped."""
    parts = ["true"]
    if query.begin is not None:
        parts.append(f"measured_at >= make_timestamptz({_bounded(query.begin) * 1000})")
    if query.end is not None:
        parts.append(f"measured_at < make_timestamptz({_bounded(query.end) * 1000})")
    return " and ".join(parts)


def _measured(query: Query) -> str:
    begin = "" if query.begin is None else f" and measured >= {query.begin}"
    return begin + ("" if query.end is None else f" and measured < {query.end}")


def _bounded(moment: int) -> int:
    return max(-MAX_MS, min(MAX_MS, moment))
