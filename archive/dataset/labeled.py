"""Joins readings with the labels of periods: each gets the label that its device had when it was measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from archive.dataset.engine import Engine
from zelador.labels.timeline import Timeline

if TYPE_CHECKING:
    import pyarrow as pa

MIN_BUCKET_MS = 600_000
MAX_BUCKETS = 1_000_000  # rows of the table that readings are joined with
LABEL = "coalesce(given.label, own)"


def add_stretches(
    engine: Engine, timelines: Mapping[str, Timeline], devices: Collection[str], begin: int, end: int
) -> str:
    """Adds the labels to the engine. Returns the SQL join that `LABEL` needs, or an empty one.

    `begin` and `end` (included) are the times of the first and last reading. Stretches are cut into buckets of time, so
    that the join is by equality. A join by ranges would compare each reading with each label; an ASOF join would sort
    all readings.
    """
    found = [
        (device, max(start, begin), min(stop if stop is not None else end + 1, end + 1), label)
        for device in devices
        if device in timelines
        for start, stop, label in timelines[device].stretches()
        if start <= end and (stop is None or stop > begin)
    ]
    if not found:
        return "cross join (select null::varchar as label) given"
    starts, ends = (np.array([each[at] for each in found], np.int64) for at in (1, 2))
    width = MIN_BUCKET_MS
    while int(((ends - 1) // width - starts // width + 1).sum()) > max(MAX_BUCKETS, 2 * len(found)):
        width *= 2
    engine.add("stretches", _table(found))
    engine.run(
        "create or replace temp table given as select device, start, stop, label, "
        f"unnest(range(start // {width}, (stop - 1) // {width} + 1)) as bucket from stretches"
    )
    return (
        f"left join given on given.device = r.device and given.bucket = r.measured // {width} "
        "and r.measured >= given.start and r.measured < given.stop"
    )


def _table(found: list[tuple[str, int, int, str]]) -> pa.Table:
    import pyarrow as pa

    devices, starts, ends, labels = zip(*found, strict=True)
    return pa.table(
        {
            "device": pa.array(devices, pa.string()),
            "start": pa.array(starts, pa.int64()),
            "stop": pa.array(ends, pa.int64()),
            "label": pa.array(labels, pa.string()),
        }
    )
