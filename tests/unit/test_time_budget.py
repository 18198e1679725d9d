"""The budget of a request: what one call may wait, when others have waited before it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from admin.console.window import UNCHANGED_S, Kept
from zelador import time_budget
from zelador.time_budget import left_s, limited, spending


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time_budget, "time", found)
    return found


def test_without_a_budget_a_call_has_its_own_limit_only(clock: Clock) -> None:
    with spending():
        clock.now += 60.0
    assert left_s(1.5) == 1.5


def test_only_waiting_is_spent_and_a_call_within_another_is_not_counted_twice(clock: Clock) -> None:
    with limited(1.5):
        clock.now += 60.0
        assert left_s(9.0) == 1.5
        with spending():
            clock.now += 0.5
            assert left_s(9.0) == 1.0, "also while it waits"
            with spending():
                clock.now += 0.25
            assert left_s(9.0) == 0.75
        assert left_s(9.0) == 0.75
        assert left_s(0.5) == 0.5
        with pytest.raises(OSError, match="away"), spending():
            clock.now += 2.0
            raise OSError("away")
        assert left_s(9.0) == 0.0
    assert left_s(9.0) == 9.0


def test_the_thread_of_a_route_spends_from_the_request_s_budget(clock: Clock) -> None:
    def route() -> None:
        with spending():
            clock.now += 1.0

    async def request() -> float:
        with limited(1.5) as budget:
            await asyncio.to_thread(route)
            left = left_s(9.0)
            budget.lift()
            assert left_s(9.0) == 9.0
            return left

    thread_result: list[float] = []
    thread = threading.Thread(target=lambda: thread_result.append(asyncio.run(request())))
    thread.start()
    thread.join(60)
    assert thread_result == [0.5]


def test_a_page_does_not_wait_longer_than_its_budget_for_another_page_that_makes_a_value() -> None:
    kept, begun, go_on = Kept(), threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        assert go_on.wait(30)
        return "slow"

    thread = threading.Thread(target=kept.get, args=(1, 60.0, slowly))
    thread.start()
    try:
        assert begun.wait(30)
        with limited(0.0):
            assert kept.get(1, 60.0, lambda: "made without waiting") == "made without waiting"
        assert kept.get(2, 60.0, lambda: "another") == "another"
    finally:
        go_on.set()
        thread.join(30)


def test_a_value_is_made_once_for_all_who_ask_meanwhile() -> None:
    kept, made = Kept(), []

    def make() -> int:
        made.append(1)
        return len(made)

    threads = [threading.Thread(target=kept.get, args=("name", 60.0, make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert kept.get("name", 60.0, make) == 1
    kept.forget("name")
    assert kept.get("name", 60.0, make) == 2


def test_a_value_is_made_again_when_its_mark_has_changed() -> None:
    now = [0.0]
    kept = Kept(lambda: now[0])
    made = iter(range(10))
    assert [kept.unless_changed("name", mark, lambda: next(made)) for mark in (1, 1, 2, 2, 1)] == [0, 0, 1, 1, 2]
    now[0] += UNCHANGED_S
    assert kept.unless_changed("name", 1, lambda: next(made)) == 3
