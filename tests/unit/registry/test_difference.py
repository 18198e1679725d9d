"""The messages for a log that is not the one last seen."""

from __future__ import annotations

import pytest

from registry.restored.last_seen import Seen
from registry.restored.watch import difference

SEEN = Seen("r1", 7, "seq-00112233445566aa", "2026-11-24T10:00:00.000Z", "the API")


@pytest.mark.parametrize(
    ("registry", "found", "said"),
    [
        ("r1", None, "lost entries"),
        ("r1", "seq-ffffffffffffffff", "older copy"),
        ("r2", None, "another one"),
        ("r2", "seq-ffffffffffffffff", "another one"),
    ],
)
def test_the_message_names_the_entry_and_how_to_proceed(registry: str, found: str | None, said: str) -> None:
    why = difference(SEEN, registry, found)
    assert why is not None
    assert said in why
    assert "entry 7 (seq-00112233445566aa), which the API saw at 2026-11-24T10:00:00.000Z" in why
    assert "zelador models accept" in why
    assert "/" not in why


def test_the_entry_that_was_seen_is_enough() -> None:
    assert difference(SEEN, "r1", SEEN.etag) is None
