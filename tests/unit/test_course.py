"""The line of a device's values: joined while readings come, broken where none came."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.console.course import course, stretches


@pytest.mark.parametrize(
    ("times", "joined"),
    [
        ([], []),
        ([5], [[5]]),
        ([0, 60, 120, 180], [[0, 60, 120, 180]]),
        ([0, 60, 120, 1_800, 1_860], [[0, 60, 120], [1_800, 1_860]]),
        ([0, 60, 120, 180, 185, 190, 195, 200, 205], [[0, 60, 120, 180, 185, 190, 195, 200, 205]]),  # samples, then all
        ([0, 600, 1_200, 1_900], [[0, 600, 1_200, 1_900]]),  # of a slow device
        ([0, 60, 120, 180, 3_600], [[0, 60, 120, 180], [3_600]]),
    ],
)
def test_a_line_ends_where_much_more_time_passed_than_usual(times: list[int], joined: list[list[int]]) -> None:
    found = stretches([(1_000.0 * at, 1.0) for at in times])
    assert [[times[place] for place in each] for each in found] == joined


@given(st.lists(st.integers(0, 10**13), unique=True).map(sorted))
def test_each_value_is_in_one_stretch(times: list[int]) -> None:
    found = stretches([(float(at), 1.0) for at in times])
    assert [place for each in found for place in each] == list(range(len(times)))
    assert all(found)


def test_a_gap_is_not_drawn_and_a_single_value_is() -> None:
    points = [(0.0, 1.0), (60e3, 1.0), (120e3, 5.0), (3_600e3, 1.0)]
    text = course(points, 0.0, 3_600e3, (0.0, 2.0), "vibration", (3_600, 84))
    paths = re.findall(r'class="(p-line|p-alarm)" d="([^"]+)"', text)
    assert [kind for kind, _ in paths] == ["p-line", "p-alarm", "p-line"]
    assert [path.count("L") + path.count("l") + path.count("H") + path.count("h") for _, path in paths][2] == 1
