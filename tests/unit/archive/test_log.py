"""The archive's log: what was committed counts, the second writer decides again, checkpoints change nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from archive import log as archive_log
from archive.archive import open_archive
from archive.layout import File
from archive.log import ArchiveLog
from registry.errors import LogReplaced
from registry.store import Folder
from zelador.errors import Conflict, Corrupt


def a_file(number: int, rows: int = 10, kind: str = "readings") -> File:
    entry = f"{1_795_514_400_000 + number}-0"
    return File(f"{kind}/day=2026-11-24/{entry}-{entry}-00.parquet", rows, 1, "", entry, entry, 0, 1, f"{number:016x}")


def add(*files: File) -> dict[str, Any]:
    return {"op": "add", "files": [msgspec.to_builtins(file) for file in files]}


def replace(removed: list[File], *files: File) -> dict[str, Any]:
    return {**add(*files), "op": "replace", "removed": [file.path for file in removed]}


def test_a_second_writer_is_refused_and_sees_the_other_entry(tmp_path: Path) -> None:
    one, other = ArchiveLog(Folder(tmp_path)), ArchiveLog(Folder(tmp_path))
    state, same = one.sync(), other.sync()
    assert one.commit([add(a_file(1))], state, by="one")
    assert not other.commit([add(a_file(2))], same, by="other")
    assert [file.path for file in other.state.of("readings")] == [a_file(1).path]
    assert other.commit([add(a_file(2))], other.state, by="other")
    assert one.sync() == other.state
    assert one.state.last == {"readings": a_file(2).last} and one.state.rows == {"readings": 20}


def test_a_merged_file_has_exactly_the_rows_of_those_it_replaces(tmp_path: Path) -> None:
    log = ArchiveLog(Folder(tmp_path))
    parts = [a_file(1), a_file(2)]
    assert log.commit([add(*parts)], log.sync(), by="test")
    merged = msgspec.structs.replace(a_file(3), rows=20)
    for wrong in (
        msgspec.structs.replace(merged, rows=19),
        msgspec.structs.replace(merged, keys="0" * 16),
        msgspec.structs.replace(merged, path=merged.path.replace("readings", "outcomes")),
    ):
        with pytest.raises(Conflict):
            log.commit([replace(parts, wrong)], log.state, by="test")
    assert log.commit([replace(parts, merged)], log.state, by="test")
    assert log.state.of("readings") == (merged,)
    assert set(log.state.removed) == {file.path for file in parts}
    with pytest.raises(Conflict):
        log.commit([replace(parts, merged)], log.state, by="test")
    assert log.commit([{"op": "sweep", "paths": [parts[0].path]}], log.state, by="test")
    assert set(log.state.removed) == {parts[1].path}


def test_a_checkpoint_gives_the_same_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_log, "CHECKPOINT_ENTRIES", 3)
    log = ArchiveLog(Folder(tmp_path))
    log.sync()
    for number in range(10):
        assert log.commit([add(a_file(number))], log.state, by="test")
    assert len(list((tmp_path / "checkpoints").iterdir())) == 3
    (tmp_path / "log" / "00000001.json").unlink()  # not needed any more, because the state comes from a checkpoint
    snapshot = open_archive(tmp_path).snapshot()
    assert ArchiveLog(Folder(tmp_path)).sync() == log.state
    assert (snapshot.seq, snapshot.rows, len(snapshot.readings)) == (10, 100, 10)
    (tmp_path / "log" / "00000009.json").unlink()
    (tmp_path / "log" / "00000010.json").unlink()
    with pytest.raises(Corrupt, match="backup"):
        ArchiveLog(Folder(tmp_path)).sync()
    with pytest.raises(LogReplaced):
        log.sync()


def test_reading_an_archive_that_does_not_exist_creates_nothing(tmp_path: Path) -> None:
    snapshot = open_archive(tmp_path / "none").snapshot()
    assert (snapshot.rows, snapshot.seq, snapshot.readings) == (0, 0, ())
    assert not (tmp_path / "none").exists()


def test_the_log_and_its_checkpoints_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_log, "CHECKPOINT_ENTRIES", 10)
    log, idle = ArchiveLog(Folder(tmp_path)), ArchiveLog(Folder(tmp_path))
    log.sync()
    number = 0

    def work(entries: int) -> None:
        nonlocal number
        for _ in range(entries):
            number += 1
            assert log.commit([{"op": "create", "archive": "a"}, add(a_file(number))], log.state, by="test")

    work(15)
    idle.sync()
    assert log.prune(time.time() + 60) == 0  # there is one checkpoint only
    for _ in range(6):
        work(10)
        assert log.prune(time.time() - 3_600) == 0  # within the grace
        log.prune(time.time() + 60)
        assert len(list((tmp_path / "log").iterdir())) <= 20
        assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    assert ArchiveLog(Folder(tmp_path)).sync() == idle.sync() == log.state
    assert len(log.state.files) == 75
    newest, older = sorted((tmp_path / "checkpoints").iterdir(), reverse=True)
    newest.write_bytes(b"damaged")
    assert ArchiveLog(Folder(tmp_path)).sync() == log.state
    assert log.prune(time.time() + 60) == 0
    older.unlink()
    with pytest.raises(Corrupt, match=r"log begins with log/000000\d\d\.json.*backup"):
        ArchiveLog(Folder(tmp_path)).sync()
