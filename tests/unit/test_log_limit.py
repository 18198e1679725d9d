"""Events that anyone can cause at any rate are logged a limited number of times, and counted."""

from __future__ import annotations

from zelador.log_limit import LogLimit


def test_a_burst_in_each_period_and_a_count_of_the_rest() -> None:
    now = [0.0]
    limit = LogLimit(60.0, 2, clock=lambda: now[0])
    assert [limit.due() for _ in range(5)] == [True, True, False, False, False]
    now[0] = 59.9
    assert not limit.due()
    now[0] = 60.0
    assert limit.due()
    assert limit.take_skipped() == " (4 similar lines were suppressed)"
    assert limit.take_skipped() == ""
