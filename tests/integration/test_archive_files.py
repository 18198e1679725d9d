"""The files of an archive over time: merged, removed when too old, swept; a damaged one is named, the rest is read."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from archive import compact, paths
from archive.archive import Archive, open_archive
from archive.batch import ReadingBatch
from archive.dataset.archived import files_of, select
from archive.dataset.engine import open_engine
from archive.dataset.history.buckets import Course, Grid
from archive.dataset.history.read import read_course
from archive.dataset.query import Query
from archive.maintain import Maintenance
from archive.verify import verify
from archive.writer import Writer
from registry.store import Folder
from tests.archived import archived, named_ids
from tests.s3_server import BUCKET, TIMEOUT_S, end_faults, run_s3
from zelador.buffer.archive_stream import Raw
from zelador.buffer.entry import Entry
from zelador.buffer.outcome_batch import encode_outcomes, outcome_batch
from zelador.errors import Unavailable
from zelador.messages import Arrival, Prediction, Reading, encode_json
from zelador.settings import ArchiveSettings, DatasetSettings

DAY_MS = 86_400_000
MONDAY = 20_781 * DAY_MS


def write(
    archive: Archive,
    entry_ms: int,
    *ids: str,
    features: tuple[str, ...] = ("lux", "vibration"),
    device: str = "press-07",
) -> None:
    """Writes one file of readings and one of outcomes."""
    arrival = Arrival(device, tuple(Reading(each, (1.0,) * len(features), entry_ms) for each in ids), entry_ms)
    batch = ReadingBatch()
    batch.add(f"{entry_ms}-0", Entry(features, (arrival,), encode_json((arrival,)), len(ids), False))
    made = [
        Prediction("p", each, "press-07", "", "yes", 0.5, None, "m", "dd", 3, "2026-11-24T10:00:00Z") for each in ids
    ]
    outcome = outcome_batch([f"{entry_ms}-0"], [len(ids)], made)
    Writer(archive, "test").write("0-0", batch, [Raw(f"{entry_ms + 1}-0", encode_outcomes(outcome))])


def maintenance(archive: Archive, **settings: float) -> Maintenance:
    return Maintenance(ArchiveSettings(url=archive.url, **settings), Event(), archive)  # type: ignore[arg-type]


def test_files_of_a_past_day_are_merged_and_the_old_ones_removed_after_the_grace(tmp_path: Path) -> None:
    archive = open_archive(tmp_path, make=True)
    write(archive, MONDAY, "a", "b")
    write(archive, MONDAY + 30_000, "c", features=("vibration", "humidity"))  # the plant's features changed
    write(archive, MONDAY + DAY_MS, "d")
    before = archive.snapshot()
    maintenance(archive).round(lambda: (MONDAY + DAY_MS + 1000) / 1000)
    after = archive.snapshot()
    assert [file.rows for file in after.readings] == [3, 1] and [file.rows for file in after.outcomes] == [3, 1]
    assert archived(tmp_path).ids == dict.fromkeys("abcd", 1)
    row = {row["id"]: row for row in archived(tmp_path).rows}
    assert (row["a"]["lux"], row["a"].get("humidity"), row["c"]["lux"], row["c"]["humidity"]) == (1.0, None, None, 1.0)
    assert named_ids(tmp_path) == dict.fromkeys("abcd", 1)  # also for a program that does not read the log
    assert not (tmp_path / before.readings[0].path).exists()
    assert [table.num_rows for table in map(archive.table, before.readings)] == [2, 1, 1]
    assert maintenance(archive).sweep(time.time()) == 0
    (tmp_path / "readings/day=2026-11-24/1-0-2-0-unfinished.parquet").write_bytes(b"PAR1")
    assert verify(archive).uncommitted == 5
    assert maintenance(archive).sweep(time.time() + 90_000) == 5
    report = verify(archive)
    assert (report.files, report.readings, report.outcomes, report.uncommitted) == (4, 4, 4, 0)
    assert not archive.log.state.removed


def test_the_readings_of_a_merged_file_are_ordered_by_device_and_arrival(tmp_path: Path) -> None:
    """The history of one device is then in few parts of the file."""
    archive = open_archive(tmp_path, make=True)
    for at, device in enumerate(("b", "a", "c", "a")):
        write(archive, MONDAY + at, f"{at}.0", f"{at}.1", device=device)
    maintenance(archive).round(lambda: (MONDAY + DAY_MS) / 1000)
    (file,) = archive.snapshot().readings
    assert archive.table(file)["id"].to_pylist() == ["1.0", "1.1", "3.0", "3.1", "0.0", "0.1", "2.0", "2.1"]


@pytest.mark.parametrize("same_disk", [True, False])
def test_readers_continue_while_files_are_merged_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_disk: bool
) -> None:
    archive = open_archive(tmp_path / "archive", make=True)
    write(archive, MONDAY, "a", "b")
    write(archive, MONDAY + 30_000, "c")
    if not same_disk:
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EXDEV, "another disk")))
    with open_engine(DatasetSettings(cache=tmp_path / "cache")) as engine:
        found = files_of(archive, Query(), engine)
        monkeypatch.undo()
        maintaining = maintenance(archive)
        maintaining.round(lambda: (MONDAY + DAY_MS) / 1000)
        assert maintaining.sweep(time.time() + 90_000) == 4
        statement = select(engine, found.paths, ["lux"], "true")
        rows = engine.rows(f"select id from ({statement}) order by id")  # noqa: S608 - the test's own
    assert [id_ for (id_,) in rows] == ["a", "b", "c"]


def test_a_kill_between_a_commit_and_a_rename_is_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = open_archive(tmp_path, make=True)
    with monkeypatch.context() as killed:
        killed.setattr(Folder, "move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        for at, name in enumerate("ab"):
            with pytest.raises(KeyboardInterrupt):
                write(archive, MONDAY + at * 1000, name)
        assert named_ids(tmp_path) == {}
        first, second = archive.snapshot().readings
        assert archive.table(first, ["id"])["id"].to_pylist() == ["a"]  # a reader of the log finds it
        assert verify(archive).readings == 2
    paths.settle(archive.store, archive.log)
    assert named_ids(tmp_path) == {"a": 1, "b": 1}
    with monkeypatch.context() as killed:
        killed.setattr(Folder, "move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            compact.merge(archive, archive.log.sync(), (first, second), "test")
    paths.settle(archive.store, archive.log)
    assert named_ids(tmp_path) == archived(tmp_path).ids == {"a": 1, "b": 1}
    assert len(list((tmp_path / "replaced").iterdir())) == 2 and not list((tmp_path / "new").iterdir())


def test_the_same_file_written_by_two_processes_counts_once(tmp_path: Path) -> None:
    """Both processes read the same batch, or merge the same files: the bytes are equal, and so is the path."""
    archive = open_archive(tmp_path, make=True)
    write(archive, MONDAY, "a", "b")
    write(archive, MONDAY + 30_000, "c")
    first, second = archive.snapshot().readings
    for file in (first, second):
        paths.put(archive.store, file.path, archive.data(file))  # the other process, which then finds the commit made
    paths.settle(archive.store, archive.log)
    assert not list(tmp_path.glob("new/*"))
    paths.put(archive.store, first.path, archive.data(first))
    maintenance(archive).round(lambda: (MONDAY + DAY_MS) / 1000)
    assert named_ids(tmp_path) == archived(tmp_path).ids == dict.fromkeys("abc", 1)


def test_old_readings_are_removed_by_whole_files(tmp_path: Path) -> None:
    archive = open_archive(tmp_path, make=True)
    for place, name in enumerate("abc"):
        write(archive, MONDAY + place * DAY_MS, name)
    maintenance(archive, keep_s=86_400.0 * 1.5).round(lambda: (MONDAY + 2 * DAY_MS) / 1000)
    assert archived(tmp_path).ids == {"b": 1, "c": 1}
    maintenance(archive, keep_s=1.0).round(lambda: (MONDAY + 9 * DAY_MS) / 1000)
    assert archived(tmp_path).ids == {}
    assert archive.log.state.rows["readings"] == 3  # what was added so far


def test_a_merge_that_another_commit_precedes_changes_nothing(tmp_path: Path) -> None:
    archive, other = open_archive(tmp_path, make=True), open_archive(tmp_path, make=True)
    write(archive, MONDAY, "a")
    write(archive, MONDAY + 1, "b")
    state = archive.log.sync()
    write(other, MONDAY + 2, "c")
    assert not compact.merge(archive, state, state.of("readings"), "test")
    assert archived(tmp_path).ids == dict.fromkeys("abc", 1)


@pytest.mark.parametrize("how", ["cut", "changed", "missing", "other rows"])
def test_a_damaged_file_is_named_and_the_rest_is_read(tmp_path: Path, how: str) -> None:
    archive = open_archive(tmp_path, make=True)
    write(archive, MONDAY, "a")
    write(archive, MONDAY + 30_000, "b")
    bad, good = archive.snapshot().readings
    path = tmp_path / bad.path
    data = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(data[:-30])
    elif how == "changed":
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
    elif how == "missing":
        path.unlink()
    else:
        path.write_bytes((tmp_path / good.path).read_bytes())
    report = verify(archive)
    assert [each.path for each in report.damaged] == [bad.path] and report.readings == 1
    maintaining = maintenance(archive)
    with pytest.raises(Exception, match="backup"):
        maintaining.round(lambda: (MONDAY + 2 * DAY_MS) / 1000)
    maintaining.round(lambda: (MONDAY + 2 * DAY_MS) / 1000)  # not tried again; the outcomes are merged
    assert len(archive.snapshot().readings) == 2 and len(archive.snapshot().outcomes) == 1
    if how != "changed":
        return
    command = [sys.executable, "-m", "zelador", "archive", "verify", "--json"]
    run = {"ZELADOR_ARCHIVE__URL": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=run)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert [each["file"] for each in said["damaged"]] == [bad.path] and said["readings"] == 1


def test_an_archive_in_a_bucket_whose_answers_are_lost(tmp_path: Path) -> None:
    with run_s3(0.1) as options:
        given = tuple(f"{name}={value}" for name, value in options.items())
        where = ArchiveSettings(url=f"s3://{BUCKET}/plant", bucket=given, timeout_s=TIMEOUT_S)
        archive = open_archive(where, make=True)
        for place, name in enumerate("ab"):
            write(archive, MONDAY + place * 30_000, name)
        maintaining = Maintenance(where, Event(), archive)
        maintaining.round(lambda: (MONDAY + 2 * DAY_MS) / 1000)
        end_faults(options)
        [file] = open_archive(where).snapshot().readings
        assert archive.table(file, ["id"])["id"].to_pylist() == ["a", "b"]
        assert archive.path(file) is None
        assert archive.where(file).startswith(f"s3://{BUCKET}/plant/readings/")
        course = Course(Grid.of(MONDAY, MONDAY + 60_000, 2), ("lux",))
        with open_engine(DatasetSettings(cache=tmp_path)) as engine:
            coverage = read_course(engine, archive, [file], "press-07", course, 60.0)
        assert (coverage.read, course.readings, len(list(course.buckets()))) == (1, 2, 2)


def test_a_full_disk_holds_the_batch_until_there_is_space(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True, capture_output=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"a file system cannot be mounted here: {error}")
    try:
        archive = open_archive(folder, make=True)
        written = 0
        with pytest.raises(Unavailable, match=r"No space left.*ZELADOR_ARCHIVE__URL"):
            for written in range(100):
                write(archive, MONDAY + written * 1000, f"r{written}")
        assert written > 1
        assert sum(archived(folder).ids.values()) == written
        subprocess.run(["mount", "-o", "remount,size=4m", str(folder)], check=True)
        write(archive, MONDAY + written * 1000, f"r{written}")
        assert archived(folder).ids == {f"r{place}": 1 for place in range(written + 1)}
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
