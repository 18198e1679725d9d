"""Reads the archived readings of a device in a period, until a deadline.

The files are read in an order in which any beginning of the list covers the period evenly. So if there is not enough
time for all of them, the course has gaps of the same size everywhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from archive.dataset.archived import local_path, select
from archive.dataset.engine import Engine, text
from archive.dataset.figures import quantile
from archive.dataset.history.buckets import Bucket, Course, figures_of
from zelador.buffer.entry import order_of
from zelador.errors import ZeladorError
from zelador.printable import counted

if TYPE_CHECKING:
    from archive.archive import Archive
    from archive.layout import File

BATCH_FILES, SAMPLE_FILES = 32, 8  # read by one statement
EARLY_MS, LATE_MS = 3_600_000, 86_400_000  # a reading usually arrives within this time before or after it was measured
HEARD_MS = 2_000  # when a device was heard is known to a second
SAMPLE_ROWS = 4_000  # of a batch of files, for the usual range
USUAL = (0.01, 0.99)


class Coverage(msgspec.Struct, frozen=True):
    """Which files were read. `late` is the number of unread files that arrived long after the period."""

    files: int
    read: int
    late: int = 0
    damaged: tuple[str, ...] = ()


class Newest(msgspec.Struct, frozen=True):
    """A reading: when it was measured (ms since 1970 UTC), and its finite values by feature."""

    measured_at: int
    values: dict[str, float]


class Sampled(msgspec.Struct, frozen=True):
    """Values of each feature, and the period in which they were measured (ms since 1970 UTC)."""

    begin: int
    end: int
    values: tuple[tuple[float, ...], ...]

    def usual(self) -> tuple[tuple[float, float] | None, ...]:
        """The middle 98 % of the values of each feature; None without values."""
        ordered = [sorted(values) for values in self.values]
        return tuple((quantile(each, USUAL[0]), quantile(each, USUAL[1])) if each else None for each in ordered)


def read_course(
    engine: Engine,
    archive: Archive,
    files: Sequence[File],
    device: str,
    course: Course,
    budget_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Coverage:
    """Adds the readings of a device to a course. Raises Corrupt, Unavailable."""
    grid, deadline = course.grid, clock() + budget_s
    near, far = wanted(files, grid.begin, grid.end)
    engine.run("set parquet_metadata_cache = true")  # files are opened for their columns, then for their rows
    aggregates = ", ".join(f"count(v{at}), min(v{at}), max(v{at}), sum(v{at})" for at in range(len(course.features)))
    values = ", ".join(f"if(isfinite(f{at}), f{at}, null) as v{at}" for at in range(len(course.features)))
    damaged: list[str] = []
    read: list[int] = []
    for group in (near, far):
        done = 0
        for batch in _batches(archive, group, BATCH_FILES):
            if (read or done) and clock() >= deadline:
                break
            done += len(batch)
            with _Held(engine, archive, batch, damaged) as paths:
                if not paths:
                    continue
                rows = _rows(
                    engine, paths, course.features, _of_device(device, grid.begin, grid.end),
                    f"select (measured - {grid.begin}) // {grid.step} as place, min(measured), count(*), mode(own), "
                    f"count(own), {aggregates} from (select measured, own, {values} from ({{}})) group by place",
                )  # fmt: skip
                for place, first, readings, label, labeled, *figures in rows:
                    parts = [figures_of(*figures[at : at + 4]) for at in range(0, len(figures), 4)]
                    course.add(int(place), Bucket(int(first), int(readings), parts, label, int(labeled)))
        read.append(done)
    return Coverage(len(near), read[0], len(far) - read[1], tuple(damaged))


def read_sample(
    engine: Engine,
    archive: Archive,
    files: Sequence[File],
    device: str,
    features: Sequence[str],
    period: tuple[int, int],
    budget_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Sampled:
    """Reads some readings of a device, spread over the period. Raises Corrupt, Unavailable."""
    deadline = clock() + budget_s
    names = ", ".join(f"f{at}" for at in range(len(features)))
    found: list[list[float]] = [[] for _ in features]
    begin, end = period[1], period[0]
    for done, batch in enumerate(_batches(archive, wanted(files, *period)[0], SAMPLE_FILES)):
        if done and clock() >= deadline:
            break
        with _Held(engine, archive, batch, []) as paths:
            if not paths:
                continue
            sample = f"select measured, {names} from ({{}}) using sample reservoir({SAMPLE_ROWS} rows) repeatable (1)"
            for measured, *values in _rows(engine, paths, features, _of_device(device, *period), sample):
                begin, end = min(begin, int(measured)), max(end, int(measured))
                for column, value in zip(found, values, strict=True):
                    if value is not None and abs(value) < float("inf"):
                        column.append(value)
    return Sampled(begin, end, tuple(map(tuple, found)))


def read_newest(
    engine: Engine,
    archive: Archive,
    files: Sequence[File],
    device: str,
    features: Sequence[str],
    heard: int,
    budget_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> Newest | None:
    """Reads the reading of a device that arrived last, when it was `heard` (ms) or before. Raises Corrupt, Unavailable.

    Returns None if none was found in time.
    """
    deadline = clock() + budget_s
    before = [file for file in files if order_of(file.first)[0] <= heard + HEARD_MS]
    before.sort(key=lambda file: order_of(file.last), reverse=True)
    names = ", ".join(f"f{at}" for at in range(len(features)))
    newest = f"select measured, {names} from ({{}}) order by ms desc, seq desc, place desc limit 1"
    for done, batch in enumerate(_batches(archive, before, SAMPLE_FILES)):
        if done and clock() >= deadline:
            break
        with _Held(engine, archive, batch, []) as paths:
            rows = _rows(engine, paths, features, f"device_id = {text(device)}", newest) if paths else []
            for measured, *values in rows:
                pairs = zip(features, values, strict=True)
                finite = {name: value for name, value in pairs if value is not None and math.isfinite(value)}
                return Newest(int(measured), finite)
    return None


def wanted(files: Sequence[File], begin: int, end: int) -> tuple[list[File], list[File]]:
    """Returns the files that may have readings of a period, spread evenly: those of its time, and others.

    One device whose clock is wrong makes a file's range of times far too wide, so the time of arrival decides. Pure.
    """
    near: list[File] = []
    far: list[File] = []
    for file in files:
        if file.begin < end and file.end >= begin:
            first, last = order_of(file.first)[0], order_of(file.last)[0]
            (near if first < end + LATE_MS and last >= begin - EARLY_MS else far).append(file)
    return [near[at] for at in spread(len(near))], [far[at] for at in spread(len(far))]


def spread(count: int) -> Iterator[int]:
    """Yields 0 to count - 1, each once, so that any beginning is spread evenly: by reversed bits. Pure."""
    width = max(1, (count - 1).bit_length())
    seen: set[int] = set()
    for number in range(1 << width):
        place = int(f"{number:0{width}b}"[::-1], 2) * count >> width
        if place not in seen and place < count:
            seen.add(place)
            yield place


def _batches(archive: Archive, files: Sequence[File], size: int) -> Iterator[Sequence[File]]:
    """Yields the files in groups; those of a bucket alone, because each is downloaded."""
    step = size if files and archive.path(files[0]) is not None else 1
    for at in range(0, len(files), step):
        yield files[at : at + step]


class _Held:
    """The paths of files, which stay valid while they are read. Files that cannot be read are added to `damaged`."""

    def __init__(self, engine: Engine, archive: Archive, files: Sequence[File], damaged: list[str]) -> None:
        self._engine = engine
        self._archive = archive
        self._files = files
        self._damaged = damaged

    def __enter__(self) -> list[str]:
        found: list[str] = []
        for number, file in enumerate(self._files):
            try:
                found.append(str(local_path(self._archive, file, self._engine, number)))
            except (ZeladorError, OSError) as error:
                self._damaged.append(f"{counted(file.rows, 'reading is', 'readings are')} missing: {error}")
        return found

    def __exit__(self, *_: object) -> None:
        for number in range(len(self._files)):
            (self._engine.folder / f"{number}.parquet").unlink(missing_ok=True)


def _rows(
    engine: Engine, paths: Sequence[str], features: Sequence[str], where: str, statement: str
) -> list[tuple[Any, ...]]:
    """Returns the rows of a statement about readings, which stand at its `{}`. Usually the files have all features."""
    import duckdb

    from archive.layout import column_of

    usual = {column_of(name) for name in features}
    try:
        return engine.rows(statement.format(select(engine, paths, features, where, usual)))
    except duckdb.BinderException:
        return engine.rows(statement.format(select(engine, paths, features, where)))


def _of_device(device: str, begin: int, end: int) -> str:
    period = f"measured_at >= make_timestamptz({begin * 1000}) and measured_at < make_timestamptz({end * 1000})"
    return f"device_id = {text(device)} and {period}"
