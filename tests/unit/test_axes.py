"""The axes of a chart that the server draws, and which points the chart of an alarm has."""

from __future__ import annotations

import json
from datetime import timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.console import axes
from admin.console.language import language
from admin.console.overview.lines import line_charts, points
from admin.console.overview.live import evenly
from admin.console.pulse import Sample

UTC, SAO_PAULO = language("en", timezone.utc), language("pt-BR", ZoneInfo("America/Sao_Paulo"))
DAY_S = 86_400


@given(st.floats(-1e9, 1e9), st.floats(1e-4, 1e9))
def test_an_axis_has_a_few_round_values_in_its_range(low: float, room: float) -> None:
    high = low + room
    found = axes.values(low, high)
    assert len(found) <= axes.MAX_VALUES + 1
    slack = 1e-6 * max(abs(low), abs(high), 1.0)
    assert all(low - slack <= value <= high + slack for value in found)
    assert all(one < other for one, other in pairwise(found))


def test_values_are_those_that_a_person_would_choose() -> None:
    assert axes.values(0.0, 6.3) == [0.0, 2.0, 4.0, 6.0]
    assert axes.values(44.0, 86.0) == [60.0, 80.0]
    assert axes.values(0.0, 1.0) == [0.0, 0.5, 1.0]
    assert axes.values(1.0, 1.0) == axes.values(0.0, float("inf")) == []
    assert [UTC.figure(each) for each in (0.5, 1_200.0, 25_000.0, 2e7, -3.0)] == ["0.5", "1,200", "25k", "20M", "−3"]


@given(st.floats(0, 4e9), st.floats(1, 400 * DAY_S))
def test_an_axis_has_a_few_times_in_its_period(begin: float, span: float) -> None:
    found = axes.times(SAO_PAULO, begin, begin + span)
    assert len(found) <= axes.MAX_TIMES + 1
    assert all(begin - 1 <= at <= begin + span for at, _ in found)
    assert all(one[0] < other[0] for one, other in pairwise(found))


def test_times_are_round_on_the_clock_of_the_plant() -> None:
    noon = 1_795_780_800.0  # 27 November 2026, 12:00 UTC, 9:00 in São Paulo
    assert [text for _, text in axes.times(UTC, noon - 60, noon + 3_600)] == [
        "12:00", "12:15", "12:30", "12:45", "13:00",
    ]  # fmt: skip
    assert [text for _, text in axes.times(SAO_PAULO, noon, noon + DAY_S)][:2] == ["12:00", "18:00"]
    assert next(text for _, text in axes.times(UTC, noon, noon + 7 * DAY_S)) == "29 Nov"
    assert next(text for _, text in axes.times(UTC, noon, noon + 60)) == "12:00:00"


def test_the_chart_of_an_alarm_gives_its_last_seconds_no_more_room_than_the_others() -> None:
    minutes = [(60_000.0 * at, 1.0) for at in range(60)]
    seconds = [(3_540_000.0 + 500 * at, float(at)) for at in range(120)]
    found = evenly([*minutes, *seconds])
    assert found[-1] == seconds[-1]
    assert len(found) <= 61
    assert min(other[0] - one[0] for one, other in pairwise(found)) >= 60_000 * 0.97
    assert evenly([]) == ()
    assert evenly(seconds[:1]) == tuple(seconds[:1])


USUAL = st.lists(st.none() | st.floats(1.0, 20.0), max_size=180)


@given(USUAL, USUAL)
def test_an_axis_shows_all_values_that_are_near_each_other(one: list[float | None], other: list[float | None]) -> None:
    values = [value for value in (*one, *other) if value is not None]
    assert axes.top_of([one, other]) >= max(values, default=1.0)


@given(st.lists(st.floats(1.0, 20.0), min_size=60, max_size=180), st.floats(1e3, 1e7), st.integers(1, 3))
def test_a_few_values_far_above_the_others_do_not_flatten_them(usual: list[float], greatest: float, count: int) -> None:
    top = axes.top_of([[*usual, *[greatest] * count], [1.0]])
    assert max(sorted(usual)[: int(0.9 * len(usual))]) <= top <= 40.0


def test_values_that_are_far_above_the_others_often_are_not_clipped() -> None:
    assert axes.top_of([[1.0] * 90 + [500.0] * 10]) > 500.0
    assert axes.top_of([[0.0] * 99 + [30.0]]) > 30.0  # a plant that sends once in a while
    assert axes.top_of([]) == axes.top_of([[None]]) == 1.0


@pytest.mark.parametrize(
    ("spikes", "said"),
    [
        ((), ""),
        ((358_214.4,), "1 value is above the axis: 358,214 ms"),
        ((900.0, 2_500.0), "2 values are above the axis, up to 2,500 ms"),
    ],
)
def test_a_clipped_value_is_drawn_and_said(spikes: tuple[float, ...], said: str) -> None:
    samples = [Sample(at, 10.0, 2.0, 8.0) for at in range(90)] + [
        Sample(100 + at, 10.0, 2.0, p) for at, p in enumerate(spikes)
    ]
    charts = line_charts(UTC, samples)
    chart = charts["latency"]
    assert (chart.note, charts["rate"].note) == (said, "")
    drawn = str(axes.lines(UTC, [each.at for each in samples], chart.lines, "", chart.top))
    assert drawn.count('class="p-accent"') == 1 + len(spikes)  # the line, and an arrow for each
    sent = json.loads(points(samples[-1:], charts))
    assert sent["charts"]["latency"] == [round(chart.top, 2), said]
    assert [len(column) for column in sent["columns"]] == [1, 1, 1, 1]
