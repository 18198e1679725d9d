"""How long a device was in alarm, from the changes of its state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operations.views.alarm_time import Course, Ended
from zelador.alarms.state import IN_ALARM

STATES = ("ok", "suspect", "alarm", "acknowledged", "shelved", "unknown", "retired")
STEPS = st.lists(st.tuples(st.integers(1, 50), st.sampled_from(STATES)), max_size=30)


def followed(steps: list[tuple[int, str, str]], oldest: int = 0) -> Course:
    course = Course()
    for at, before, state in steps:
        course.add(at, "press-07", before, state, oldest)
    return course


@given(STEPS, st.integers(0, 800))
def test_the_time_is_that_of_the_states_in_alarm(steps: list[tuple[int, str]], since: int) -> None:
    at, before = 0, "ok"
    changes, minutes = [], []
    for gap, state in steps:
        if state == before:
            continue
        minutes += [before in IN_ALARM] * gap
        at += gap
        changes.append((at, before, state))
        before = state
    until = at + 10
    minutes += [before in IN_ALARM] * 10
    on_now = {"press-07": changes[-1][0]} if before in IN_ALARM else {}
    course = followed(changes)
    course.forget(since)
    found = course.times(since, max(since, until), on_now)
    assert found.get("press-07", 0) == sum(minutes[since:])


def test_an_acknowledged_alarm_is_one_alarm() -> None:
    course = followed([(10, "ok", "alarm"), (20, "alarm", "acknowledged"), (50, "acknowledged", "ok")])
    assert course.times(0, 100, {}) == {"press-07": 40}
    assert course.last == Ended("press-07", 10, 50)


def test_an_alarm_whose_beginning_is_not_kept_began_at_the_oldest_known_moment() -> None:
    course = followed([(50, "alarm", "ok")], oldest=20)
    assert course.times(20, 100, {}) == {"press-07": 30}
    assert course.last == Ended("press-07", None, 50)


def test_a_shelved_or_retired_device_did_not_recover() -> None:
    for state in ("shelved", "retired"):
        course = followed([(10, "ok", "alarm"), (30, "alarm", state)])
        assert course.times(0, 100, {}) == {"press-07": 20}
        assert course.last is None


def test_an_alarm_that_began_before_what_is_kept_and_goes_on_is_counted() -> None:
    assert Course().times(100, 400, {"mill-03": 40}) == {"mill-03": 300}
    assert Course().times(100, 400, {"mill-03": 250}) == {"mill-03": 150}


def test_a_device_that_was_forgotten_in_alarm_is_not_in_alarm_for_ever() -> None:
    course = followed([(10, "ok", "alarm")])
    assert course.times(0, 100, {}) == {}
    course.add(500, "press-07", "ok", "alarm", 0)  # it came back
    assert course.times(0, 600, {"press-07": 500}) == {"press-07": 100}
