"""Counts over all readings of a data set, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from archive.dataset.columns import Columns
from zelador.messages import iso
from zelador.ranges import Ranges

if TYPE_CHECKING:
    from archive.dataset.engine import Engine

DAY_MS, AHEAD_MS = 86_400_000, 60_000
MAX_HASHES = 60_000_000  # sorted at the same time; each takes 8 bytes
SENTINELS = (-127.0, 85.0, 65_535.0, 65_534.0, 32_767.0, -32_768.0, 9_999.0, -9_999.0, 999.0, -999.0, 99_999.0,
             -99_999.0, 999.9, -999.9, 9_999.9, 4_294_967_295.0, -1.0, 0.0)  # fmt: skip


class CountedFeature(msgspec.Struct, frozen=True):
    """Counts of a feature's values. `sentinels` has each value that often means "no value".

    With it are the number of readings that have this value, and the next lower and the next higher value."""

    missing: int
    out_of_range: int
    lowest: float | None
    highest: float | None
    mean: float | None
    sentinels: Mapping[float, tuple[int, float | None, float | None]]


class Counted(msgspec.Struct, frozen=True):
    """Counts over all readings. Times are in ms since 1970 UTC.

    `by_device` and `by_day` count labeled readings by class. `ahead` maps devices with readings that were measured
    after they were received to the number of these readings and the first of them.
    """

    rows: int
    devices: int
    begin: int | None
    end: int | None
    classes: Mapping[str, int]
    by_device: Mapping[str, Mapping[str, int]]
    by_day: Mapping[str, Mapping[str, int]]
    features: Sequence[CountedFeature]
    duplicates: int
    ahead: Mapping[str, tuple[int, int]]


def of_columns(columns: Columns, ranges: Ranges) -> Counted:
    by_device: dict[str, Counter[str]] = {name: Counter() for name in columns.names}
    by_day: dict[str, Counter[str]] = {}
    ahead: dict[str, tuple[int, int]] = {}
    for place, measured, received, label in zip(
        columns.devices, columns.measured, columns.received, columns.labels, strict=True
    ):
        device = columns.names[place]
        if label is not None:
            by_device[device][label] += 1
            by_day.setdefault(iso(measured - measured % DAY_MS)[:10], Counter())[label] += 1
        if received and measured - received > AHEAD_MS:
            count, first = ahead.get(device, (0, measured))
            ahead[device] = count + 1, min(first, measured)
    return Counted(
        rows=len(columns),
        devices=len(columns.names),
        begin=min(columns.measured, default=None),
        end=max(columns.measured, default=None),
        classes=Counter(label for label in columns.labels if label is not None),
        by_device=by_device,
        by_day=by_day,
        features=[_feature(column, *bound) for column, bound in zip(columns.values, ranges.bounds, strict=True)],
        duplicates=len(columns) - len(set(zip(columns.devices, columns.measured, *columns.values, strict=True))),
        ahead=ahead,
    )


def _feature(column: Sequence[float], low: float, high: float) -> CountedFeature:
    known = sorted(value for value in column if value == value)
    different = Counter(known)
    sentinels = {}
    for sentinel in SENTINELS:
        if count := different.get(sentinel, 0):
            below = max((value for value in different if value < sentinel), default=None)
            above = min((value for value in different if value > sentinel), default=None)
            sentinels[sentinel] = count, below, above
    return CountedFeature(
        missing=len(column) - len(known),
        out_of_range=sum(not low <= value <= high for value in known),
        lowest=known[0] if known else None,
        highest=known[-1] if known else None,
        mean=sum(known) / len(known) if known else None,
        sentinels=sentinels,
    )


def of_view(engine: Engine, ranges: Ranges) -> Counted:
    """Counts the readings of the engine's view `labeled`, like `of_columns`. Raises Unavailable."""
    columns = [f"f{at}" for at in range(len(ranges.features))]
    engine.run(
        f"create or replace temp table days as select device, measured // {DAY_MS} as day, label, count(*) as rows, "
        "min(measured) as first, max(measured) as last, "
        f"count(*) filter (received > 0 and measured - received > {AHEAD_MS}) as ahead, "
        f"min(measured) filter (received > 0 and measured - received > {AHEAD_MS}) as ahead_first "
        "from labeled group by all"
    )
    ((rows, devices, begin, end),) = engine.rows(
        "select coalesce(sum(rows), 0), count(distinct device), min(first), max(last) from days"
    )
    return Counted(
        rows=int(rows),
        devices=int(devices),
        begin=begin,
        end=end,
        classes=dict(engine.rows("select label, sum(rows)::bigint from days where label is not null group by label")),
        by_device=_nested(engine, "device", engine.rows("select distinct device from days order by device")),
        by_day={iso(int(day) * DAY_MS)[:10]: counts for day, counts in _nested(engine, "day", ()).items()},
        features=_features(engine, columns, ranges) if rows else [_feature((), 0, 0) for _ in columns],
        duplicates=_duplicates(engine, columns, int(rows)) if rows else 0,
        ahead={
            device: (int(count), int(first))
            for device, count, first in engine.rows(
                "select device, sum(ahead)::bigint, min(ahead_first) from days where ahead > 0 group by device"
            )
        },
    )


def _nested(engine: Engine, by: str, names: Sequence[tuple[str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {name: {} for (name,) in names}
    for name, label, rows in engine.rows(
        f"select {by}, label, sum(rows)::bigint from days where label is not null group by all order by {by}, label"
    ):
        found.setdefault(name, {})[label] = rows
    return found


def _features(engine: Engine, columns: Sequence[str], ranges: Ranges) -> list[CountedFeature]:
    marks = ", ".join(map(repr, SENTINELS))
    parts = ", ".join(
        f"count(*) - count({column}), count(*) filter (not {column} between {low!r} and {high!r}), min({column}), "
        f"max({column}), fsum({column}) / nullif(count({column}), 0), bool_or({column} in ({marks}))"
        for column, (low, high) in zip(columns, ranges.bounds, strict=True)
    )
    (row,) = engine.rows(f"select {parts} from plain")
    found = []
    for at, column in enumerate(columns):
        missing, outside, lowest, highest, mean, marked = row[6 * at : 6 * at + 6]
        sentinels = {}
        if marked:
            for sentinel, count in engine.rows(
                f"select {column}, count(*) from plain where {column} in ({marks}) group by {column}"
            ):
                ((below, above),) = engine.rows(
                    f"select max({column}) filter ({column} < {sentinel!r}), min({column}) filter "
                    f"({column} > {sentinel!r}) from plain"
                )
                sentinels[float(sentinel)] = int(count), below, above
        found.append(CountedFeature(int(missing), int(outside), lowest, highest, mean, sentinels))
    return found


def _duplicates(engine: Engine, columns: Sequence[str], rows: int) -> int:
    """Counts duplicates by sorting the hashes of the readings, in parts if there are very many."""
    import numpy as np

    parts = max(1, -(-rows // MAX_HASHES))
    found = 0
    for part in range(parts):
        hashes = np.empty(rows, np.uint64) if parts == 1 else np.empty(0, np.uint64)
        statement = f"select h from (select hash(device, measured, {', '.join(columns)}) as h from plain)"
        filled, taken = 0, []
        for batch in engine.batches(statement + (f" where h % {parts} = {part}" if parts > 1 else "")):
            values = batch.column(0).to_numpy()
            if parts == 1:
                hashes[filled : filled + len(values)] = values
                filled += len(values)
            else:
                taken.append(values)
        ordered = np.concatenate(taken) if parts > 1 and taken else hashes[:filled]
        ordered.sort()
        found += int((ordered[1:] == ordered[:-1]).sum())
    return found
