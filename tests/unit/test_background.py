"""Values made on threads: who asks waits for a moment only, and gets the same value while it is kept."""

from __future__ import annotations

import itertools
import threading

import pytest

from operations.views.background import MAX_RUNNING, Background


def test_a_value_is_made_once_and_kept_in_proportion_to_the_time_it_took() -> None:
    now = [0.0]
    values: Background[int] = Background(10, 10, 120.0, lambda: now[0])
    numbers = itertools.count()

    def make() -> int:
        now[0] += 2.0
        return next(numbers)

    assert [values.get("a", make, 10.0) for _ in range(3)] == [0, 0, 0]
    now[0] += 19.0
    assert values.get("a", make, 10.0) == 0
    now[0] += 1.0
    assert values.get("a", make, 10.0) == 1


def test_who_asks_does_not_wait_for_a_slow_value_and_gets_it_later() -> None:
    values: Background[str] = Background(10, 1e9, 1e9)
    go_on = threading.Event()

    def make() -> str:
        go_on.wait(10.0)
        return "made"

    assert values.get("a", make, 0.0) is None
    assert values.get("b", lambda: "quick", 10.0) == "quick"
    go_on.set()
    assert values.get("a", lambda: "again", 10.0) == "made"


@pytest.mark.parametrize("shows_old", [True, False])
def test_while_a_value_is_made_again_the_old_one_is_returned_if_that_is_wanted(shows_old: bool) -> None:
    now = [0.0]
    values: Background[str] = Background(10, 1e9, 60.0, lambda: now[0], shows_old=shows_old)
    go_on = threading.Event()

    def make() -> str:
        go_on.wait(10.0)
        return "new"

    assert values.get("a", lambda: "old", 10.0) == "old"
    now[0] += 1_000.0
    assert values.get("a", make, 0.0) == ("old" if shows_old else None)
    go_on.set()
    assert values.get("a", lambda: "again", 10.0) == "new"


def test_only_so_many_are_made_at_once() -> None:
    values: Background[int] = Background(100, 1.0, 1.0)
    go_on = threading.Event()
    for key in range(MAX_RUNNING):
        values.get(key, lambda: int(go_on.wait(10.0)), 0.0)
    assert values.get("one more", lambda: 1, 10.0) is None
    go_on.set()
    assert all(values.get(key, lambda: 0, 10.0) is not None for key in range(MAX_RUNNING))


def test_an_error_reaches_who_asks_and_the_value_is_made_again() -> None:
    values: Background[int] = Background(10, 1e9, 1e9)
    with pytest.raises(ZeroDivisionError):
        values.get("a", lambda: 1 // 0, 10.0)
    assert values.get("a", lambda: 2, 10.0) == 2


def test_the_oldest_values_are_forgotten() -> None:
    values: Background[int] = Background(2, 1e9, 1e9)
    made = [values.get(key, lambda key=key: key, 10.0) for key in (1, 2, 3, 4)]  # type: ignore[misc]
    assert made == [1, 2, 3, 4]
    assert values.get(1, lambda: 10, 10.0) == 10
    assert values.get(4, lambda: 40, 10.0) == 4
