"""The reason that the audit page shows beside a change."""

from __future__ import annotations

import pytest

from admin.console.words import reason_of
from operations.audit_entry import Change


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, None, ""),
        ({"why": "the first model"}, {"why": "scores best"}, "scores best"),
        (
            {"why": "the first model"},
            {"why": ""},
            "",
        ),  # the reason of the previous selection does not belong to this one
        ({"note": "WO 4711"}, None, "WO 4711"),
        ({"note": "WO 4711"}, {"undone": True}, "WO 4711"),
        (None, {"why": None, "note": "", "notes": "kept"}, "kept"),
    ],
)
def test_a_change_has_its_own_reason(before: object, after: object, reason: str) -> None:
    assert reason_of(Change("1", "2026-11-27T01:00:00Z", "key 1", "model selected", "m", before, after)) == reason


def test_the_note_of_a_key_is_its_name_and_no_reason() -> None:
    facts = {"role": "viewer", "note": "tablet in hall A"}
    assert reason_of(Change("1", "2026-11-27T01:00:00Z", "key 1", "key made", "4f2a91c0", None, facts)) == ""
    assert reason_of(Change("1", "2026-11-27T01:00:00Z", "key 1", "key revoked", "4f2a91c0", facts)) == ""
