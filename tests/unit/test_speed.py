"""The figures of a worker: readings a second, and the time within which 99 % of them were confirmed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.speed import BOUNDS, WINDOW_S, Speed

BATCHES = st.lists(st.tuples(st.integers(0, 2_000), st.floats(0.001, 5_000.0)), min_size=1, max_size=50)


def test_a_worker_without_readings_has_a_rate_and_no_time() -> None:
    assert Speed(100.0).facts(110.0) == {"rate": 0.0, "p99_ms": None}


@given(BATCHES)
def test_99_percent_took_at_most_what_it_says_and_at_most_15_percent_less(batches: list[tuple[int, float]]) -> None:
    speed = Speed(0.0)
    for count, seconds in batches:
        speed.settled(count, seconds, 1.0)
    each = sorted(seconds for count, seconds in batches for _ in range(count))
    found = speed.facts(2.0)["p99_ms"]
    if not each:
        assert found is None
        return
    exact = 1000 * each[max(0, -(-99 * len(each) // 100) - 1)]
    assert isinstance(found, float)
    assert exact * 0.999 - 0.1 <= found <= exact * 1.16 + 0.1


def test_the_rate_is_of_the_last_two_windows() -> None:
    speed = Speed(0.0)
    for second in range(120):
        rate = 10 if second < 60 else 50
        speed.settled(rate, 0.01, float(second))
    assert speed.facts(120.0)["rate"] == pytest.approx(50, rel=0.1)


def test_a_time_is_forgotten_after_two_windows_and_a_pause_empties_both() -> None:
    speed = Speed(0.0)
    speed.settled(100, 30.0, 1.0)
    speed.settled(100, 0.01, WINDOW_S + 1)
    assert speed.facts(WINDOW_S + 2)["p99_ms"] == pytest.approx(30_000, rel=0.16)
    speed.settled(100, 0.01, 2 * WINDOW_S + 2)
    assert speed.facts(2 * WINDOW_S + 3)["p99_ms"] == pytest.approx(10, rel=0.16)
    assert speed.facts(9 * WINDOW_S)["p99_ms"] is None
    assert speed.facts(99 * WINDOW_S)["rate"] == 0.0


def test_a_clock_that_was_set_back_and_a_wait_of_days_do_not_break_it() -> None:
    speed = Speed(0.0)
    speed.settled(1, -5.0, 1.0)
    assert speed.facts(2.0)["p99_ms"] == 0.5
    speed.settled(1_000, 1e9, 1.0)
    assert speed.facts(2.0)["p99_ms"] == round(1000 * BOUNDS[-1], 1)
