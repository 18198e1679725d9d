"""Blocks are contiguous in time, of one device, and neither too many nor too few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.evaluation.blocks import blocks, lag


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50)), min_size=1, max_size=300),
)
def test_a_block_is_one_stretch_of_one_device(readings: list[tuple[int, int]]) -> None:
    devices, times = (np.array(column, dtype=np.int64) for column in zip(*readings, strict=True))
    found = blocks(devices, times, len(readings))
    assert set(found) == set(range(found.max() + 1))
    for device in np.unique(devices):
        rows = devices == device
        assert not set(found[rows]) & set(found[~rows])
        order = np.lexsort((found[rows], times[rows]))
        assert (np.diff(found[rows][order]) >= 0).all()
        for time in np.unique(times[rows]):
            assert len(set(found[rows & (times == time)])) == 1, "readings of one moment stay together"


@pytest.mark.parametrize(
    ("devices", "rows", "expected"), [(1, 8_000, 24), (2, 4_000, 24), (6, 300, 24), (12, 200, 36), (1, 100, 12)]
)
def test_the_number_of_blocks_follows_the_rules(devices: int, rows: int, expected: int) -> None:
    codes, times = np.repeat(np.arange(devices), rows), np.tile(np.arange(rows), devices)
    assert len(set(blocks(codes, times, devices * rows))) == expected


def test_what_a_block_is_where_device_or_time_is_not_known() -> None:
    devices = np.array([7, 7, 3, 3, 7])
    assert blocks(devices, None, 5).tolist() == [1, 1, 0, 0, 1]
    assert blocks(None, None, 3).tolist() == [0, 1, 2]
    assert len(set(blocks(None, np.arange(1_000)[::-1], 1_000))) == 24


def test_the_lag_is_that_of_the_slowest_feature() -> None:
    draw = np.random.default_rng(1)
    slow = np.zeros(20_000)
    for at in range(1, len(slow)):
        slow[at] = 0.98 * slow[at - 1] + draw.normal()
    rows = np.stack([draw.normal(size=len(slow)), slow, np.ones(len(slow))], axis=1)
    rows[::7, 1] = np.nan
    times = np.arange(len(slow), dtype=np.int64)
    assert 40 < lag(rows, None, times) < 160  # 0.98 ** 80 is 0.2
    assert lag(rows[:, [0]], None, times) == 1
    assert lag(rows[:, [2]], None, times) == 0
    assert lag(np.full((5, 1), np.nan), None, times[:5]) == 0
    mixed = draw.permutation(len(slow))
    assert lag(rows[mixed], None, times[mixed]) == lag(rows, None, times)
