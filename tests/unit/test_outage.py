"""The admin server's memory of a Redis that does not answer."""

from __future__ import annotations

import threading

import pytest
import redis

from admin.outage import FIRST_PAUSE_S, PAUSES, PROMPT_S, WAIT_S, Outage


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def failing(outage: Outage, clock: Clock, seconds: float) -> None:
    """A call that waits so long, in vain."""
    outage.check()
    began = clock.now
    clock.now += seconds
    outage.failed(began, redis.TimeoutError("Timeout reading from socket"))


def may_try(outage: Outage) -> bool:
    try:
        outage.check()
    except redis.ConnectionError:
        return False
    return True


def on_another_thread(outage: Outage) -> bool:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(may_try(outage)))
    thread.start()
    thread.join(60)
    return found[0]


def test_only_the_first_call_waits_and_the_pause_is_longer_than_the_wait() -> None:
    clock = Clock()
    outage = Outage(clock, lambda: 1_000_000)
    assert may_try(outage)
    failing(outage, clock, WAIT_S)
    assert outage.since == 1_000_000 - 1000 * WAIT_S, "when the call was made, not when it failed"
    with pytest.raises(redis.ConnectionError, match=r"no answer since 1970-01-01T00:16:38\.500Z: Timeout reading"):
        outage.check()
    clock.now += PAUSES * WAIT_S - 0.01
    assert not may_try(outage)
    clock.now += 0.02
    assert may_try(outage)


def test_one_thread_at_a_time_tries_again() -> None:
    clock = Clock()
    outage = Outage(clock)
    failing(outage, clock, 0.0)
    clock.now += FIRST_PAUSE_S
    assert may_try(outage)
    assert not on_another_thread(outage), "the page of somebody else does not wait too"
    assert may_try(outage), "the thread that tries may connect again, if its connection was stale"
    clock.now += WAIT_S
    assert on_another_thread(outage), "unless the try has been forgotten"


def test_an_answer_ends_the_outage_for_all() -> None:
    clock = Clock()
    outage = Outage(clock)
    failing(outage, clock, WAIT_S)
    first = outage.since
    clock.now += PAUSES * WAIT_S
    failing(outage, clock, WAIT_S)
    assert outage.since == first
    outage.answered()
    assert outage.since is None
    assert may_try(outage)
    assert on_another_thread(outage)


def test_a_slow_answer_ends_the_try_but_not_the_outage() -> None:
    clock = Clock()
    outage = Outage(clock)
    failing(outage, clock, WAIT_S)
    clock.now += PAUSES * WAIT_S
    assert may_try(outage)
    outage.answered(1.0)
    assert outage.since is not None
    assert not may_try(outage), "the next call of the page fails at once"
    clock.now += PAUSES * 1.0
    assert on_another_thread(outage)
    outage.answered(PROMPT_S)
    assert outage.since is None


def test_a_page_whose_time_is_used_up_asks_no_more() -> None:
    clock = Clock()
    outage = Outage(clock, lambda: 1_000_000)
    clock.now += 100.0
    with pytest.raises(redis.TimeoutError, match="in all"):
        outage.too_slow()
    assert outage.since == 1_000_000 - 1000 * WAIT_S
    assert not may_try(outage)
