"""When a worker rests: only at a high rate, only after a small batch, never for long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zelador.pace import MIN_RATE, REST_S, SMALL_BATCH, Pace


def paced(count: int, every_s: float, batches: int = 400) -> list[float]:
    pace = Pace(0.0)
    return [pace.after(count, number * every_s) for number in range(1, batches)]


def test_at_a_thousand_a_second_no_reading_waits() -> None:
    assert set(paced(1, 0.001)) == {0.0}


def test_at_a_high_rate_a_small_batch_rests_and_a_large_one_does_not() -> None:
    assert paced(20, 0.001)[-1] == REST_S
    assert set(paced(SMALL_BATCH, 0.001)) == {0.0}
    assert paced(0, 0.001)[-1] == 0.0


def test_the_rate_of_the_past_is_forgotten() -> None:
    pace = Pace(0.0)
    for number in range(1, 1_000):
        pace.after(20, number / 1_000)
    assert pace.after(20, 1.0) == REST_S
    assert pace.after(1, 2.0) == 0.0  # after a second of silence


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.0, 10.0)), max_size=100))
def test_a_rest_is_always_short_and_needs_a_high_rate(turns: list[tuple[int, float]]) -> None:
    pace, now, total = Pace(0.0), 0.0, 0
    for count, passed in turns:
        now += passed
        total += count
        rest = pace.after(count, now)
        assert rest in (0.0, REST_S)
        assert not rest or (0 < count < SMALL_BATCH and total > MIN_RATE * 0.25)
