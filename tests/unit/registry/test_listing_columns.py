"""A column of a listing holds only values that can be compared and written, however odd an old entry is."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.listing import Columns, plain_column, read_column
from registry.log.state import Model
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


MODELS = st.lists(
    st.builds(
        Model, st.sampled_from("abcd"), st.just(""), st.just(""),
        st.dictionaries(st.sampled_from(["rank", "run"]), st.one_of(st.none(), st.integers(), st.text(), st.floats())),
        st.just(""), st.just(""),
    ),
    max_size=8,
)  # fmt: skip


@given(MODELS, MODELS, st.lists(st.booleans(), max_size=8))
def test_columns_of_a_later_state_are_those_that_would_be_read(
    before: list[Model], other: list[Model], kept: list[bool]
) -> None:
    """Only what changed is read: models replaced in place, added, or removed."""
    later = [model for model, keep in zip(before, kept, strict=False) if keep] + other
    columns = Columns(before)
    for key in ("rank", "name", "run"):
        columns.of(key)
    found = columns.after(later)
    assert found.models == later
    for key in ("rank", "name", "run"):
        assert repr(found.of(key)) == repr(read_column(later, key))
