"""The filters of the audit log, and that a request reads a bounded part of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from operations.audit import Act
from operations.audit_entry import Change, encode
from operations.audit_file import AuditFile
from operations.views import audit as view
from operations.views.audit import KINDS, MAX_STRAY, AuditFilter, Kind, author, authors, search

AT = 1_795_000_000_000  # ms since 1970 UTC
MINUTE = 60_000
NAMES = {"key 1": "Ana Lima"}


def log_of(folder: Path, *entries: tuple[int, str, str, str]) -> AuditFile:
    with (folder / "audit.jsonl").open("ab") as file:
        for moment, who, what, target in entries:
            file.write(encode(Change(f"{moment * 1_000_000:020d}", f"at {moment - AT}", who, what, target)))
    return AuditFile(folder / "audit.jsonl", 10**9)


def found(audit: AuditFile, limit: int = 50, before: str | None = None, **wanted: object) -> list[str]:
    return [change.target for change in search(audit, AuditFilter(**wanted), NAMES, limit, before).changes]  # type: ignore[arg-type]


def test_the_person_who_asked_for_a_run_finds_what_the_trainer_did_in_it(tmp_path: Path) -> None:
    """The five models that the run of the demo had registered were missing among what the demo did."""
    trainer = "trainer-1 (run 20261124_115838-a38d)"
    changes = [
        Change("1".zfill(20), "", trainer, Act.MODEL_REGISTERED, "old", None, {"saved_by": "key 1"}),
        Change("2".zfill(20), "", trainer, Act.PROMOTION_DECIDED, "new", on_behalf_of="key 1"),
        Change("3".zfill(20), "", "key 2", Act.MODEL_REGISTERED, "own", None, {"saved_by": "key 2"}),
        Change("4".zfill(20), "", "trainer-1 (the schedule)", Act.RUN_REQUESTED, "by itself"),
    ]
    (tmp_path / "audit.jsonl").write_bytes(b"".join(map(encode, changes)))
    audit = AuditFile(tmp_path / "audit.jsonl", 10**9)
    assert found(audit, who="key 1") == ["new", "old"]
    assert found(audit, who="trainer-1") == ["by itself", "new", "old"]
    assert found(audit, text="ana") == ["new", "old"]
    assert found(audit, who="key 2") == ["own"]
    assert set(authors(audit)) == {"key 1", "key 2", "trainer-1"}
    assert [each.on_behalf_of for each in search(audit, AuditFilter(), NAMES, 9).changes] == [
        None,
        None,
        "key 1",
        "key 1",
    ]


@pytest.fixture
def audit(tmp_path: Path) -> AuditFile:
    return log_of(
        tmp_path,
        (AT, "key 1", Act.MODEL_SELECTED, "a"),
        (AT + MINUTE, "key 2", Act.LABEL_ADDED, "b"),
        (AT + 2 * MINUTE, "key 1", Act.LABEL_UNDONE, "c"),
        (AT + 3 * MINUTE, "joe (command line)", Act.KEY_MADE, "d"),
    )


def test_each_filter_and_all_together(audit: AuditFile) -> None:
    assert found(audit) == ["d", "c", "b", "a"]
    assert found(audit, who="key 1") == ["c", "a"]
    assert found(audit, kind="labels") == ["c", "b"]
    assert found(audit, text="ana LIMA") == ["c", "a"]
    assert found(audit, text="undone") == ["c"]
    assert found(audit, since=AT + MINUTE) == ["d", "c", "b"]
    assert found(audit, until=AT + 2 * MINUTE) == ["b", "a"]
    assert found(audit, since=AT + MINUTE, until=AT + 3 * MINUTE, who="key 1", kind="labels") == ["c"]
    assert found(audit, since=AT + MINUTE, until=AT) == []
    assert found(audit, who="key") == []
    assert found(audit, who="joe (command line)") == found(audit, who="joe") == ["d"]


def test_pages_follow_each_other_without_a_gap(audit: AuditFile) -> None:
    seen, before = [], None
    while True:
        page = search(audit, AuditFilter(), NAMES, 1, before)
        seen += [change.target for change in page.changes]
        if (before := page.next) is None:
            break
    assert seen == ["d", "c", "b", "a"]
    assert search(audit, AuditFilter(until=AT + MINUTE), NAMES, 1).next is None


def test_a_search_that_finds_nothing_ends_and_says_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "MAX_SEARCHED", 100)
    entries = [(AT + place, "key 2", Act.LABEL_ADDED, f"t{place}") for place in range(250)]
    audit = log_of(tmp_path, (AT - 1, "key 1", Act.LABEL_ADDED, "old"), *entries)
    page = search(audit, AuditFilter(who="key 1"), NAMES, 50)
    assert page.changes == ()
    assert page.searched_to == "at 150"
    rounds = 1
    while page.next is not None:
        page = search(audit, AuditFilter(who="key 1"), NAMES, 50, page.next)
        rounds += 1
    assert ([change.target for change in page.changes], rounds) == (["old"], 3)


def test_a_moment_at_which_the_clock_was_wrong_hides_nothing(tmp_path: Path) -> None:
    strays = [(5, "key 1", Act.LABEL_ADDED, "1970")] * MAX_STRAY
    later = (AT + MINUTE, "key 1", Act.LABEL_ADDED, "b")
    audit = log_of(tmp_path, (AT, "key 1", Act.LABEL_ADDED, "a"), *strays, later)
    assert found(audit, since=AT) == ["b", "a"]


@pytest.mark.parametrize("text", ["press-01", "needs", "spindle", "WO 4711", "plant/mill-03", "mill-09", "10.0.0.7"])
def test_what_stands_in_the_values_of_a_change_is_found(tmp_path: Path, text: str) -> None:
    """A label's target is its id: neither its device nor the note beside it was found."""
    label = {"device": "press-01", "from": "2026-11-24T12:00:00Z", "to": None, "label": "needs it", "note": "Spindle"}
    message = {"topic": "plant/mill-03/reading", "payload": "x" * 2_000}
    changes = [
        Change("1".zfill(20), "", "key 1", Act.LABEL_ADDED, "none of them", None, {"state": "alarm", "count": 3}),
        Change("2".zfill(20), "", "key 1", Act.LABEL_UNDONE, "label", label),
        Change("3".zfill(20), "", "key 1", Act.DEVICE_SHELVED, "a device", None, {"why": "WO 4711"}),
        Change("4".zfill(20), "", "key 1", Act.QUARANTINE_DISCARDED, "1-0", message),
        Change("5".zfill(20), "", "key 1", Act.LABELS_IMPORTED, "2 labels", None, {"devices": ["mill-08", "mill-09"]}),
        Change("6".zfill(20), "", "key 1", Act.MODEL_SELECTED, "m", None, ["odd", 1], address="10.0.0.7"),
    ]
    (tmp_path / "audit.jsonl").write_bytes(b"".join(map(encode, changes)))
    audit = AuditFile(tmp_path / "audit.jsonl", 10**9)
    assert len(found(audit, text=text)) == 1
    assert found(audit, text="none of them") == ["none of them"]


def test_the_words_that_the_reader_sees_are_found(audit: AuditFile) -> None:
    assert [each.target for each in search(audit, AuditFilter(text="suspendeu C"), NAMES, 9).changes] == []
    page = search(audit, AuditFilter(text="suspendeu C"), NAMES, 9, shown=lambda entry: f"suspendeu {entry.target}")
    assert [each.target for each in page.changes] == ["c"]


def test_every_act_is_of_one_kind() -> None:
    assert Counter(act for acts in KINDS.values() for act in acts) == Counter(Act)
    assert tuple(KINDS) == get_args(Kind)


def test_the_authors_are_those_of_the_newest_changes(audit: AuditFile) -> None:
    assert authors(audit) == ("joe", "key 1", "key 2")


def test_a_trainer_is_one_author_whatever_made_it_act(tmp_path: Path) -> None:
    """Each of its runs registers models: the filter would list hundreds of authors."""
    ways = ("run 7", "run 8", "the schedule (2026-11-24 02:30 UTC)")
    audit = log_of(
        tmp_path, *((AT + place, f"trainer-1 ({way})", Act.MODEL_REGISTERED, way) for place, way in enumerate(ways))
    )
    assert authors(audit) == ("trainer-1",)
    assert len(found(audit, who="trainer-1")) == 3
    assert found(audit, who="trainer-1 (run 7)") == ["run 7"]
    assert author("Ana (") == "Ana ("
