"""The audit log keeps its entries, and stays readable whatever anyone writes into it."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from operations import audit_file as trail_module
from operations.audit_entry import MAX_ENTRY, MAX_LINE, ActRecord, Change, decode, encode
from operations.audit_file import AuditFile
from operations.audit_generations import FORMAT
from zelador.errors import Unavailable


def test_no_number_of_changes_pushes_out_earlier_entries(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An operator who annotates models for 50 seconds must not push older entries out of the log."""
    trail = AuditFile(tmp_path / "audit.jsonl", 20_000)
    trail.add(ActRecord("key a", "quarantine discarded", "all", None, {"entries": 10_000}))
    for number in range(300):
        trail.add(ActRecord("key b", "model annotated", "m", {"notes": "😀" * 20_000}, {"notes": f"{number}" * 20_000}))
    found = [change.what for change in trail.newest()]
    assert found == ["model annotated"] * 300 + ["quarantine discarded"]
    names = sorted(path.name for path in tmp_path.glob("audit-*.jsonl"))
    assert len(names) > 10
    firsts = [json.loads((tmp_path / name).read_text().splitlines()[0])["id"] for name in names]
    assert firsts == sorted(firsts)
    assert caplog.text.count("was renamed to audit-") == len(names)
    assert all((tmp_path / name).stat().st_mode & 0o777 == 0o600 for name in names)


def test_files_are_removed_only_by_age(tmp_path: Path) -> None:
    trail = AuditFile(tmp_path / "audit.jsonl", 200, keep_s=400 * 86_400)
    now = datetime.now(timezone.utc)
    old, young = (f"audit-{(now - timedelta(days=days)).strftime(FORMAT)}.jsonl" for days in (401, 399))
    foreign = ("audit-notes.jsonl", "audit-99999999T999999.999999Z.jsonl", "audit.jsonl.1")
    for name in (old, young, *foreign):
        (tmp_path / name).write_text("")
    for _ in range(3):
        trail.add(ActRecord("key a", "x", "y"))
    assert not (tmp_path / old).exists()
    assert all((tmp_path / name).exists() for name in (young, *foreign))


def test_at_its_limit_it_warns_removes_nothing_and_still_serves_administrators(tmp_path: Path) -> None:
    trail = AuditFile(tmp_path / "audit.jsonl", 10_000, total_bytes=40_000)
    assert trail.remark() is None
    for _ in range(120):
        trail.add(ActRecord("key a", "x", "y", None, "z" * 300))
    trail._counted = (-10.0, 0)
    assert "move old ones away" in trail.remark()
    trail.check(is_admin=True)
    with pytest.raises(Unavailable, match="AUDIT_TOTAL_BYTES"):
        trail.check(is_admin=False)
    assert len(list(trail.newest())) == 120


def test_a_clock_that_goes_back_overwrites_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail = AuditFile(tmp_path / "audit.jsonl", 200)
    monkeypatch.setattr(trail_module.time, "time", lambda: 1e9)
    for moment in (2_000_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000):
        monkeypatch.setattr(trail_module.time, "time_ns", lambda moment=moment: moment * 10**9)
        trail.add(ActRecord("key a", "x", "y", None, "z" * 100))
    assert len(list(trail.newest())) == 4


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    trail = AuditFile(tmp_path / "audit.jsonl", 20_000)
    trail.add(ActRecord("key a", "new", "y"))
    (tmp_path / "audit.jsonl.1").write_bytes(encode(Change("00000000000000000001", "then", "key o", "old", "z")))
    assert [change.what for change in trail.newest()] == ["new", "old"]
    assert [change.what for change in trail.newest("00000000000000000002")] == ["old"]


def hostile_lines() -> list[bytes]:
    head = b'{"id":"0179551440000400000%d","at":"","who":"","what":"w","target":"","before":'
    deep = b"[" * 400 + b"]" * 400
    return [
        head % 1 + deep + b"}",
        head % 2 + b"[" * 200_000 + b"}",
        head % 3 + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
        head % 4 + b'"' + b"x" * (MAX_LINE + 200_000) + b'"}',
        head % 5 + b"1e999}",
        head % 6 + b'"\\ud800"}',
        head % 7 + b"1" + b"0" * 400 + b"}",
        b'{"id":"01',
        b"\x00" * 5_000,
        b"\xff\xfe\xfa",
        b"null",
        b'{"id":1}',
        b"\r\n\x1b[2J",
    ]


def test_no_entry_stops_the_reader(tmp_path: Path) -> None:
    trail = AuditFile(tmp_path / "audit.jsonl", 64 * 1_048_576)
    for line in hostile_lines():
        trail.add(ActRecord("key a", "good", "y"))
        with (tmp_path / "audit.jsonl").open("ab") as file:
            file.write(line + b"\n")
    trail.add(ActRecord("key a", "good", "y"))
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(b"x" * 3 * MAX_LINE)  # and without an end of line
    found = list(trail.newest())
    assert [change.what for change in found].count("good") == len(hostile_lines()) + 1
    for change in found:
        TypeAdapter(Any).dump_json(change.before)  # as the response is made


def test_a_pipe_in_place_of_a_file_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "audit.jsonl.1")
    os.mkfifo(tmp_path / "audit-20260101T000000.000000Z.jsonl")
    trail = AuditFile(tmp_path / "audit.jsonl", 20_000)
    trail.add(ActRecord("key a", "x", "y"))
    assert len(list(trail.newest())) == 1


def test_a_page_far_back_is_quick(tmp_path: Path) -> None:
    """Files that have only newer entries are not opened."""
    trail = AuditFile(tmp_path / "audit.jsonl", 5_000)
    ids = [trail.add(ActRecord("key a", "x", str(number), None, "z" * 500)).id for number in range(100)]
    newest = list(tmp_path.glob("audit-*.jsonl"))
    assert len(newest) > 5
    for path in sorted(newest)[2:]:
        path.chmod(0)
        path.write_bytes(b"")  # whatever they contain
    assert [change.id for change in trail.newest(ids[5])] == ids[4::-1]


texts = st.text(max_size=3_000)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=50), inner, max_size=5),
    max_leaves=30,
)


@given(texts, texts, texts, values, values, texts)
def test_an_entry_is_a_short_line_and_is_read_again(who, what, target, before, after, address) -> None:
    line = encode(Change("01795514400004000000", "2026-11-24T12:00:01.250Z", who, what, target, before, after, address))
    assert len(line) <= MAX_ENTRY
    assert line.count(b"\n") == 1
    found = decode(line)
    assert found is not None
    for given_, kept in ((before, found.before), (after, found.after)):
        assert kept == given_ or kept is None or "sha256" in kept or "cut" in kept


def test_values_that_are_not_text_are_recorded_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Lone surrogates stand for bytes of the command line that are not text; old models can have deep values."""
    caplog.set_level(logging.INFO)
    trail = AuditFile(tmp_path / "audit.jsonl", 1_000_000)
    trail.add(ActRecord("user \udcff", "x", "\udcff", {"why": "\udcff"}, None))
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]
    trail.add(ActRecord("key a", "x", "deep", deep))
    trail.add(ActRecord("key a", "x", "\x00" * 100_000, "\x00" * 100_000, '"' * 100_000))
    assert len(list(trail.newest())) == 3
    assert caplog.text.encode("utf-8"), "what collects the log can encode it"


def test_an_entry_after_one_that_a_full_disk_cut_off_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next entry used to continue the torn line: it was reported as recorded, and nobody could read it."""
    trail = AuditFile(tmp_path / "audit.jsonl", 10**6)
    write = os.write
    for room in (0, 1, 40):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda file, data, room=room: write(file, data[:room]))
            with pytest.raises(Unavailable, match="No space left on device"):
                trail.add(ActRecord("key 1", "model selected", "lost"))
        trail.add(ActRecord("key 1", "model selected", f"after {room}"))
    assert [change.target for change in trail.newest()] == ["after 40", "after 1", "after 0"]


def test_an_entry_after_one_that_a_crash_cut_off_is_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = AuditFile(path, 10**6)
    trail.add(ActRecord("key 1", "model selected", "before"))
    path.write_bytes(path.read_bytes() + b'{"id":"0179578447346')
    trail.add(ActRecord("key 1", "model selected", "after"))
    assert [change.target for change in trail.newest()] == ["after", "before"]
