"""Draws the labeled rows of a data set by class and block of time. The same query always draws the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archive.dataset.engine import Engine
from archive.dataset.query import Query
from archive.dataset.quotas import block_quotas, class_quotas
from zelador.errors import InvalidInput
from zelador.messages.classes import class_notes, looks_like_regression, named
from zelador.printable import counted
from zelador.ranges import Ranges

if TYPE_CHECKING:
    import pyarrow as pa

HOUR_MS = 3_600_000
MAX_BLOCKS = 50_000  # of all devices together
SPARE, MIN_SPARE = 2, 24  # candidates for each block: SPARE times the rows that it needs, plus MIN_SPARE
TOP = 2**64 - 1  # the largest hash
HASH = "hash(ms, seq, place)"
ORDER = "measured, device, ms, seq, place"


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows that were drawn, with `device`, `measured`, `label` and `f0`, `f1` … in a fixed order.

    `labeled` is the number of labeled rows to draw from."""

    rows: pa.Table
    labeled: int
    notes: tuple[str, ...]


def draw(engine: Engine, query: Query, ranges: Ranges, source: str) -> Sample:
    """Draws at most `query.cap` labeled rows of the view `labeled`, without duplicates, within physical ranges.

    Raises InvalidInput if the query names a label that no reading has; Unavailable.
    """
    columns = [f"f{at}" for at in range(len(ranges.features))]
    inside = _inside(columns, ranges)
    _count_blocks(engine, inside)
    found = {label: (int(rows), int(out)) for label, rows, out in engine.rows(
        "select label, sum(inside), sum(outside) from blocks group by label order by label"
    )}  # fmt: skip
    counts, notes = _choose({label: rows for label, (rows, _) in found.items() if rows}, query, source)
    if out := sum(out for label, (_, out) in found.items() if not query.labels or label in query.labels):
        notes.insert(0, _outside_note(engine, columns, inside, ranges, out, sum(counts.values())))
    quotas = class_quotas(counts, query.cap or sum(counts.values()), query.fewest)
    total, drawn = sum(counts.values()), sum(quotas.values())
    if drawn < total:
        notes.append(f"{drawn} of {total} rows, drawn from each class and block of time (ZELADOR_TRAINING__MAX_ROWS)")
    _draw_rows(engine, quotas, columns, inside, spare=SPARE)
    (before,) = engine.rows("select count(*) from drawn")
    rows = engine.table(
        f"select device, measured, label, {', '.join(columns)} from drawn qualify row_number() over "
        f"(partition by device, measured, {', '.join(columns)} order by ms, seq, place) = 1 order by {ORDER}"
    )
    if twice := int(before[0]) - rows.num_rows:
        was = "was" if twice == 1 else "were"
        notes.append(f"{counted(twice, 'row')} with the device, time and values of another {was} left out")
    return Sample(rows, sum(rows for rows, _ in found.values()), tuple(notes))


def _inside(columns: Sequence[str], ranges: Ranges) -> str:
    """Returns the SQL condition for values that a working sensor can have. Other live readings are quarantined."""
    parts = [
        f"({column} is null or {column} between {low!r} and {high!r})"
        for column, (low, high) in zip(columns, ranges.bounds, strict=True)
    ]
    return f"({' and '.join(parts)})"


def _count_blocks(engine: Engine, inside: str) -> None:
    """Fills the table `blocks` with the number of rows of each class, device and block of time."""
    ((devices, begin, end),) = engine.rows("select count(distinct device), min(measured), max(measured) from plain")
    span = int(end or 0) - int(begin or 0)
    width = HOUR_MS * max(1, -(-span * int(devices) // (HOUR_MS * MAX_BLOCKS)))
    engine.run(
        f"create or replace temp table blocks as select label, device, measured // {width} as block, "
        f"count(*) filter ({inside}) as inside, count(*) filter (not {inside}) as outside, {width} as width "
        "from labeled where label is not null group by all"
    )


def _choose(counts: Mapping[str, int], query: Query, source: str) -> tuple[dict[str, int], list[str]]:
    """Returns the classes to use with their number of rows, and notes about the others."""
    notes: list[str] = []
    if unknown := [label for label in query.labels if label not in counts]:
        has = f"it has {named(list(counts))}" if counts else "it has no labeled reading"
        raise InvalidInput(f"labels (--classes): {source} has no class {unknown[0]!r}; {has}")
    chosen = {label: rows for label, rows in counts.items() if not query.labels or label in query.labels}
    notes += class_notes(chosen)
    if left := len(counts) - len(chosen):
        notes.append(
            f"only the class {named(list(chosen))} (--classes); {counted(left, 'other was', 'others were')} left out"
        )
    small = {label: rows for label, rows in chosen.items() if rows < query.fewest}
    if small and len(chosen) - len(small) >= 2 and not looks_like_regression(Counter(chosen)):
        shown = ", ".join(f"{label!r} ({counted(rows, 'row')})" for label, rows in sorted(small.items())[:10])
        more = f" and {len(small) - 10} more" if len(small) > 10 else ""
        notes.append(f"classes with fewer than {query.fewest} rows were left out: {shown}{more}")
        chosen = {label: rows for label, rows in chosen.items() if label not in small}
    return chosen, notes


def _outside_note(engine: Engine, columns: Sequence[str], inside: str, ranges: Ranges, count: int, kept: int) -> str:
    (row,) = engine.rows(
        f"select {', '.join(columns)} from labeled where label is not null and not {inside} order by {ORDER} limit 1"
    )
    example = ranges.objection([float("nan") if value is None else value for value in row])
    hint = "; does the column need a scale (ZELADOR_FIELDS)?" if count > kept else ""
    return f"{counted(count, 'row was', 'rows were')} left out, as live readings would be refused: {example}{hint}"


def _draw_rows(engine: Engine, quotas: Mapping[str, int], columns: Sequence[str], inside: str, spare: int) -> None:
    """Fills the table `drawn` with the rows of each block that have the smallest hashes.

    Only rows with small hashes are sorted. If a block has too few of those, larger hashes are included.
    """
    import pyarrow as pa

    blocks = engine.table("select label, device, block, inside from blocks where inside > 0 order by all")
    labels = np.array(blocks["label"].to_pylist(), dtype=object)
    rows = blocks["inside"].to_numpy().astype(np.int64)
    wanted = np.zeros(len(rows), np.int64)
    for label, quota in quotas.items():
        of_class = labels == label
        wanted[of_class] = block_quotas(rows[of_class], quota)
    share = np.minimum(1.0, (wanted * spare + MIN_SPARE) / np.maximum(rows, 1))
    tops = [TOP if each >= 1 or need == have else int(each * TOP) for each, need, have in zip(
        share.tolist(), wanted.tolist(), rows.tolist(), strict=True
    )]  # fmt: skip
    plan = blocks.append_column("quota", pa.array(wanted)).append_column("top", pa.array(tops, pa.uint64()))
    engine.add("plan", plan.filter(pa.array(wanted > 0)))
    ((width,),) = engine.rows("select coalesce(max(width), 1) from blocks")
    engine.run(
        f"create or replace temp table drawn as select r.device, r.measured, r.ms, r.seq, r.place, r.label, "
        f"{', '.join(f'r.{column}' for column in columns)} from (select *, {HASH} as h from labeled "
        f"where label is not null and {inside}) r join plan on plan.label = r.label and plan.device = r.device "
        f"and plan.block = r.measured // {width} where r.h <= plan.top qualify row_number() over "
        "(partition by r.label, r.device, plan.block order by r.h, r.ms, r.seq, r.place) <= plan.quota"
    )
    ((count,),) = engine.rows("select count(*) from drawn")
    if int(count) < int(wanted.sum()) and any(top < TOP for top in tops):
        _draw_rows(engine, quotas, columns, inside, spare * 8)
