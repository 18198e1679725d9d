"""Counts the archived readings that a label applies to."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np

from archive.dataset import archived
from archive.dataset.engine import Engine, open_engine, text
from archive.dataset.load import archive_of
from archive.dataset.query import Query
from zelador.labels import Label
from zelador.settings import Settings

FRESH_S = 60.0  # how long a count is reused
MAX_COUNTS = 50_000  # that are kept
BUCKET_MS, MAX_BUCKETS = 3_600_000, 500_000


class ArchivedCounts:
    """Counts the archived readings in the periods of labels. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._counts: dict[str, tuple[float, int]] = {}  # content of a label to time of the count, and the count

    def of(self, labels: Sequence[Label], below: tuple[int, int] | None) -> Mapping[str, int]:
        """Returns the archived readings of each label, by its id.

        Counts only entries below `below`, where the buffer begins; all if `below` is None.

        Raises Corrupt, Unavailable.
        """
        archive = archive_of(self._settings)
        if archive is None or not labels or archive.snapshot().last is None:
            return {}
        with self._lock:
            now = time.monotonic()
            due = [each for each in labels if now - self._counts.get(each.content, (-FRESH_S, 0))[0] >= FRESH_S]
            if due:
                ends = [each.end for each in due if each.end is not None]
                period = Query(begin=min(each.begin for each in due), end=max(ends) if len(ends) == len(due) else None)
                with open_engine(self._settings.datasets) as engine:
                    files = archived.files_of(archive, period, engine)
                    found = _count(engine, files.paths, due, below) if files.paths else {}
                if len(self._counts) + len(due) > MAX_COUNTS:
                    self._counts = {}
                self._counts |= {each.content: (now, found.get(each.id, 0)) for each in due}
            return {each.id: self._counts[each.content][1] for each in labels if each.content in self._counts}


def _count(
    engine: Engine, paths: Sequence[str], labels: Sequence[Label], below: tuple[int, int] | None
) -> dict[str, int]:
    import pyarrow as pa

    listed = ", ".join(map(text, paths))
    scan = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    if below is not None:
        scan += f" where entry_ms < {below[0]} or (entry_ms = {below[0]} and entry_seq < {below[1]})"
    engine.run(f"create temp view kept as select device_id as device, epoch_ms(measured_at) as measured from {scan}")
    ((begin, end),) = engine.rows("select min(measured), max(measured) from kept")
    if begin is None:
        return {}
    starts = np.array([max(each.begin, begin) for each in labels], np.int64)
    stops = np.array([end + 1 if each.end is None else min(each.end, end + 1) for each in labels], np.int64)
    used = np.flatnonzero(stops > starts)
    width = BUCKET_MS
    while int(((stops[used] - 1) // width - starts[used] // width + 1).sum()) > max(MAX_BUCKETS, 2 * len(used)):
        width *= 2
    engine.add(
        "periods",
        pa.table(
            {
                "id": pa.array([labels[at].id for at in used], pa.string()),
                "device": pa.array([labels[at].device for at in used], pa.string()),
                "start": pa.array(starts[used]),
                "stop": pa.array(stops[used]),
            }
        ),
    )
    rows = engine.rows(
        f"with cut as (select *, unnest(range(start // {width}, (stop - 1) // {width} + 1)) as bucket from periods) "
        "select id, count(*) from kept join cut on cut.device = kept.device "
        f"and cut.bucket = kept.measured // {width} and measured >= start and measured < stop group by id"
    )
    return {str(id_): int(count) for id_, count in rows}
