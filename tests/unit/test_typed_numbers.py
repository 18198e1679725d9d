"""Numbers as people type them into the console's forms, and as the forms show them."""

from __future__ import annotations

import math
from datetime import timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.console.language import TAGS, language
from admin.console.numbers import number_of, two_ways, ways_of

LANGUAGES = {tag: language(tag, timezone.utc) for tag in TAGS}


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("en", "85.5", 85.5), ("en", "85,5", 85.5), ("en", "1,234.5", 1234.5), ("en", "0,412", 0.412),
        ("en", "1,234", None), ("en", "1.234,5", None), ("en", "1,23.5", None), ("en", "1.2.3", None),
        ("pt-BR", "85,5", 85.5), ("pt-BR", "85.5", 85.5), ("pt-BR", "1.234,5", 1234.5), ("pt-BR", "0.412", 0.412),
        ("pt-BR", "1.234", None), ("pt-BR", "1,234.5", None), ("pt-BR", "-1.234.567", None), ("pt-BR", "−2,5", -2.5),
        ("en", "1e3", 1000.0), ("en", "1e999", None), ("en", "nan", None), ("en", "", None), ("pt-BR", "quente", None),
        ("en", "1234", 1234.0), ("pt-BR", "1234", 1234.0), ("pt-BR", "1,234", 1.234), ("en", "1.234", 1.234),
    ],
)  # fmt: skip
def test_a_number_is_read_in_one_way_or_not_at_all(tag: str, text: str, value: float | None) -> None:
    assert number_of(LANGUAGES[tag], text) == value


@pytest.mark.parametrize(
    ("tag", "text", "ways"),
    [
        ("en", "1,234", ("1234", "1.234")), ("pt-BR", "1.234", ("1234", "1,234")),
        ("pt-BR", "−1.234", ("−1234", "−1,234")),
        ("en", "1.234", None), ("pt-BR", "0.412", None), ("pt-BR", "1.234.567", None), ("en", "abc", None),
    ],
)  # fmt: skip
def test_a_number_of_two_readings_is_named_with_both(tag: str, text: str, ways: tuple[str, str] | None) -> None:
    assert ways_of(LANGUAGES[tag], text) == ways
    assert [number_of(LANGUAGES[tag], way) is not None for way in ways or ()] == [True] * len(ways or ())
    said = two_ways(LANGUAGES[tag], text)
    assert all(way in said for way in ways) if ways else not said


@given(st.floats(min_value=-1e12, max_value=1e12), st.sampled_from(TAGS))
def test_what_a_form_shows_is_read_again_as_the_same(value: float, tag: str) -> None:
    shown = LANGUAGES[tag].entry(value)
    found = number_of(LANGUAGES[tag], shown)
    assert found is not None, shown
    assert math.isclose(found, value, rel_tol=1e-11, abs_tol=1e-300)
