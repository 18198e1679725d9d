"""The course of a device: the same figures however its readings are divided, and files in an order spread evenly."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dataset.history.buckets import Bucket, Course, Figures, Grid, figures_of
from archive.dataset.history.read import EARLY_MS, LATE_MS, spread, wanted
from archive.layout import File
from operations.views.device_events import DeviceEventView
from operations.views.device_history import labels_in, states_in

FEATURES = ("lux", "vibration")
values = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
rows = st.lists(st.tuples(st.integers(-50, 1_050), st.tuples(values, values), st.sampled_from([None, "yes", "no"])))


def course_of(found: list[tuple[int, tuple[float | None, ...], str | None]], grid: Grid) -> Course:
    course = Course(grid, FEATURES)
    for moment, figures, label in found:
        course.add_reading(moment, figures, label)
    return course


@given(st.integers(-(10**12), 10**13), st.integers(1, 10**11), st.integers(1, 1_000), st.data())
def test_a_grid_covers_its_period_with_at_most_so_many_parts(
    begin: int, span: int, buckets: int, data: st.DataObject
) -> None:
    grid = Grid.of(begin, begin + span, buckets)
    assert 1 <= grid.count <= buckets
    moment = begin + data.draw(st.integers(0, span - 1))
    place = grid.place(moment)
    assert place is not None and 0 <= place < grid.count
    assert grid.begin + place * grid.step <= moment < grid.begin + (place + 1) * grid.step
    assert grid.place(begin - 1) is grid.place(begin + span) is None


@given(rows, st.integers(1, 20))
def test_a_bucket_has_the_figures_of_its_readings(
    found: list[tuple[int, tuple[float | None, ...], str | None]], buckets: int
) -> None:
    grid = Grid.of(0, 1_000, buckets)
    course = course_of(found, grid)
    inside = [row for row in found if 0 <= row[0] < 1_000]
    assert course.readings == len(inside)
    for begin, bucket in course.buckets():
        part = [row for row in inside if begin <= row[0] < begin + grid.step]
        assert bucket.readings == len(part) > 0
        for at, figures in enumerate(bucket.figures):
            finite = [row[1][at] for row in part if row[1][at] is not None and math.isfinite(row[1][at] or 0.0)]
            known = [value for value in finite if value is not None]
            if figures is None:
                assert known == []
                continue
            assert (figures.count, figures.low, figures.high) == (len(known), min(known), max(known))
            assert figures.low <= figures.mean <= figures.high
            if max(map(abs, known)) < 1e300:
                assert figures.mean == pytest.approx(math.fsum(known) / len(known), rel=1e-9, abs=1e-9)


@given(rows, st.integers(0, 100))
def test_readings_in_two_parts_have_the_same_figures_as_together(
    found: list[tuple[int, tuple[float | None, ...], str | None]], cut: int
) -> None:
    """The archive's part and the buffer's, or the parts of several files, may share a bucket."""
    grid = Grid.of(0, 1_000, 7)
    whole, first = course_of(found, grid), course_of(found[:cut], grid)
    for begin, bucket in course_of(found[cut:], grid).buckets():
        place = grid.place(begin)
        assert place is not None
        first.add(place, bucket)
    for (at, one), (other_at, other) in zip(whole.buckets(), first.buckets(), strict=True):
        assert (at, one.readings, one.labeled > 0) == (other_at, other.readings, other.labeled > 0)
        for figures, others in zip(one.figures, other.figures, strict=True):
            assert (figures is None) == (others is None)
            if figures is not None and others is not None:
                assert (figures.count, figures.low, figures.high) == (others.count, others.low, others.high)


def test_a_mean_whose_sum_is_too_large_lies_between_the_values() -> None:
    assert Figures(1, 1e308, 1e308, 1e308).joined(Figures(1, 1.7e308, 1.7e308, 1.7e308)).mean == 1.35e308
    assert figures_of(0, None, None, None) is None


@given(st.integers(0, 3_000))
def test_any_beginning_of_the_files_is_spread_evenly(count: int) -> None:
    order = list(spread(count))
    assert sorted(order) == list(range(count))
    for part in (4, 16, 64):
        if count >= 8 * part:
            places = [-1, *sorted(order[:part]), count]
            assert max(other - one for one, other in pairwise(places)) <= 2 * count / part + 2


def file(first: int, last: int, begin: int, end: int) -> File:
    return File(
        f"readings/day=2026-11-24/{first}-0-{last}-0-a.parquet", 1, 1, "", f"{first}-0", f"{last}-0", begin, end, ""
    )


def test_a_device_with_a_wrong_clock_does_not_make_every_file_count() -> None:
    day = 86_400_000
    start = 20_000 * day
    usual = [file(start + at * day, start + (at + 1) * day, 0, start + (at + 1) * day) for at in range(30)]
    ahead = [file(start + at * day, start + (at + 1) * day, start, 2**52) for at in range(30)]
    begin, end = start + 10 * day, start + 11 * day
    near, far = wanted([*usual, *ahead], begin, end)
    assert {each.first for each in near} == {f"{start + at * day}-0" for at in (9, 10, 11)} | {
        f"{start + 12 * day}-0"
    } - {f"{start + (end - start + LATE_MS) // day * day}-0"}
    assert len(near) + len(far) == len([each for each in (*usual, *ahead) if each.end >= begin])
    assert wanted([file(begin - EARLY_MS - 2, begin - EARLY_MS - 1, begin, end)], begin, end)[0] == []


def event(at: str, before: str, state: str) -> DeviceEventView:
    return DeviceEventView(at, at, "press", before, state, None, None, None, None, None, None)


def test_states_of_a_period_join_at_its_events() -> None:
    newest_first = [
        event("2026-11-24T10:40:00.000Z", "acknowledged", "ok"),
        event("2026-11-24T10:20:00.000Z", "alarm", "acknowledged"),
        event("2026-11-24T10:10:00.000Z", "ok", "alarm"),
    ]
    begin, end = "2026-11-24T10:00:00.000Z", "2026-11-24T10:30:00.000Z"
    found = states_in(newest_first, "ok", begin, end, begin)
    assert [(each["from"][11:16], each["to"][11:16], each["state"]) for each in found] == [
        ("10:00", "10:10", "ok"),
        ("10:10", "10:20", "alarm"),
        ("10:20", "10:30", "acknowledged"),
    ]
    assert [each["state"] for each in states_in([], "shelved", begin, end, None)] == ["shelved"]
    later = states_in(newest_first, "ok", "2026-11-24T10:50:00.000Z", "2026-11-24T10:55:00.000Z", None)
    assert [each["state"] for each in later] == ["ok"]


@pytest.mark.parametrize(
    ("minutes", "now", "heard", "first"),
    [
        ([], "ok", 10, "10:10"),
        ([20], "ok", 10, "10:10"),
        ([20], "ok", 25, "10:20"),  # a reading before the event is not kept
        ([-5], "alarm", 10, "10:00"),  # an event says that it was there
        ([], "ok", None, None),
        ([], "alarm", None, None),
        ([], "unknown", None, "10:00"),
        ([], "retired", 10, "10:00"),
    ],
)
def test_a_device_has_no_state_before_its_first_reading(
    minutes: list[int], now: str, heard: int | None, first: str | None
) -> None:
    hour = datetime(2026, 11, 24, 10, tzinfo=timezone.utc)
    at = {each: f"{hour + timedelta(minutes=each):%Y-%m-%dT%H:%M:%S.000Z}" for each in range(-10, 31)}
    events = [DeviceEventView("1", at[each], "a", "ok", "alarm", *[None] * 6) for each in minutes]
    found = states_in(events, now, at[0], at[30], None if heard is None else at[heard])
    assert [each["from"][11:16] for each in found[:1]] == ([] if first is None else [first])
    assert not found or found[-1]["to"] == at[30]


def test_labels_of_a_period_are_cut_to_it_and_come_after_those_that_were_sent() -> None:
    grid = Grid.of(0, 1_000, 10)
    course = course_of([(at, (1.0, 1.0), "no" if at < 500 else None) for at in range(0, 1_000, 50)], grid)
    found = labels_in(course, [(-100, 250, "yes"), (900, None, "worn")])
    assert [(each["from"][-5:-1], each["to"][-5:-1], each["label"], each["given"]) for each in found] == [
        (".000", ".500", "no", False),
        (".000", ".250", "yes", True),
        (".900", ".000", "worn", True),
    ]


def test_the_most_frequent_label_stands_for_a_bucket() -> None:
    course = Course(Grid.of(0, 100, 1), ())
    course.add(0, Bucket(2, 3, [], "no", 3))
    course.add(0, Bucket(1, 4, [], "yes", 4))
    course.add(0, Bucket(5, 9, []))
    assert course.first == 1
    assert [(each.readings, each.label) for _, each in course.buckets()] == [(16, "yes")]
