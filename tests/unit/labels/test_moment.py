"""The times of labels and queries as people write them: local ones that the change of the clock makes unclear."""

from __future__ import annotations

import pytest

from zelador.errors import InvalidInput
from zelador.labels.moment import moment
from zelador.messages import iso
from zelador.settings import load_settings

BERLIN = load_settings(time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-10-25T01:59", "2026-10-24T23:59:00.000Z"),
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00.000Z"),
        ("2026-10-25T02:30+02:00", "2026-10-25T00:30:00.000Z"),
        ("2026-10-25T02:30+01:00", "2026-10-25T01:30:00.000Z"),
        ("2026-10-25T00:30Z", "2026-10-25T00:30:00.000Z"),
        ("2026-10-25", "2026-10-24T22:00:00.000Z"),
        ("2026-03-29 03:00", "2026-03-29T01:00:00.000Z"),
        ("2026-03-29T01:59:59.999", "2026-03-29T00:59:59.999Z"),
    ],
)
def test_a_local_time_is_one_moment(text: str, means: str) -> None:
    assert iso(moment(text, BERLIN, "from")) == means


def test_an_ambiguous_or_skipped_local_time_is_refused() -> None:
    """The label of a fault would be an hour off, and nobody would see it."""
    with pytest.raises(InvalidInput, match=r"from: 2026-10-25T02:30 exists twice in Europe/Berlin.*\+0200 or .*\+0100"):
        moment("2026-10-25T02:30", BERLIN, "from")
    with pytest.raises(InvalidInput, match=r"to: 2026-03-29 02:30:00 does not exist in Europe/Berlin.*\+0200"):
        moment("2026-03-29 02:30:00", BERLIN, "to")
    assert iso(moment("2026-10-25T02:30", load_settings(), "from")) == "2026-10-25T02:30:00.000Z"
