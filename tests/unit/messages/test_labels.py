"""One class is one text, whoever wrote the label and in whichever form."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zelador.messages import MAX_LABEL, label_text


@pytest.mark.parametrize("value", [1, 1.0, True, "1", "1.0", "1.", "1.000", " 1 ", "true", "True", "TRUE", "+1.0"])
def test_the_many_forms_of_1_are_one_class(value: str | float | bool) -> None:
    assert label_text(value) == "1"


@pytest.mark.parametrize("value", [0, 0.0, -0.0, False, "0", "0.0", "-0.0", "false", "False"])
def test_the_many_forms_of_0_are_one_class(value: str | float | bool) -> None:
    assert label_text(value) == "0"


@pytest.mark.parametrize("value", [None, "", "   ", "\t\n", "\u00a0", math.nan, "nan", "NaN", " NAN ", " " * 500])
def test_these_values_are_no_label(value: str | float | None) -> None:
    assert label_text(value) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("007", "007"), ("007.0", "007.0"), ("1.50", "1.50"), ("2.10", "2.10"), ("No", "No"), ("NA", "NA"),
        ("null", "null"), (0.5, "0.5"), (-3.0, "-3"), (1e300, "1e+300"), (2**60, str(2**60)), (" a  b ", "a  b"),
        ("e\u0301", "é"), (math.inf, "inf"), ("1e0", "1e0"), ("١.٠", "١.٠"),
    ],
)  # fmt: skip
def test_a_text_is_left_as_it_is(value: str | float, text: str) -> None:
    assert label_text(value) == text


@pytest.mark.parametrize("value", ["x" * (MAX_LABEL + 1), "a\x00b", "a\nb", "a\x1b[2J", "a\u200bb", "\ud800", 10**200])
def test_a_label_that_nobody_can_read_is_refused(value: str | int) -> None:
    with pytest.raises(ValueError, match="1 to 128 printable"):
        label_text(value)


def test_a_number_with_more_digits_than_python_writes_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 128 printable"):
        label_text(10**5000)


@given(st.one_of(st.text(max_size=140), st.integers(), st.floats(), st.booleans(), st.none()))
@example(2.0**53)
def test_the_text_of_a_text_is_that_text(value: str | float | bool | None) -> None:
    try:
        text = label_text(value)
    except ValueError:
        return
    assert label_text(text) == text
    assert text is None or (0 < len(text) <= MAX_LABEL and text.isprintable())


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_has_one_text(number: int) -> None:
    assert label_text(number) == label_text(float(number)) == label_text(str(number)) == label_text(f"{number}.0")
