"""A column of a listing holds only values that can be compared and written, however odd an old entry is."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.listing import plain_column
from registry.model.manifest_shape import LARGEST_INTEGER

odd: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.text() | st.floats() | st.integers(-(2**70), 2**70) | st.lists(st.integers())
)


def is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -LARGEST_INTEGER <= value < LARGEST_INTEGER
    return isinstance(value, str)


@given(st.lists(odd) | st.lists(st.none() | st.floats()) | st.lists(st.none() | st.text()) | st.lists(st.integers()))
def test_every_value_is_plain_or_absent(values: list[Any]) -> None:
    found = plain_column(values)
    assert [repr(value) for value in found] == [repr(value if is_plain(value) else None) for value in values]
