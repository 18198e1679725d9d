"""What people do about a device: acknowledge, undo, shelve, retire; held against a rule of a few lines."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from operations.views.alarm_time import AlarmTimeReader
from operations.views.devices import Devices
from tests.device_states import START, Plant
from zelador.alarms import Rule, Track, step
from zelador.alarms.state import IN_ALARM, optional_iso, published
from zelador.alarms.store import DeviceStates
from zelador.clock import now_ms
from zelador.errors import Conflict
from zelador.settings import Settings


@pytest.fixture
def plant(settings: Settings) -> Plant:
    return Plant(settings)


def test_acts_of_people_change_the_state(plant: Plant) -> None:
    assert plant.act("press", "acknowledge") == ["absent"]
    plant.see("press", "lll")
    assert plant.act("press", "acknowledge") == ["not in alarm"]
    plant.see("press", "hhh", START + 5_000)
    assert plant.act("press", "acknowledge") == ["", "alarm", "acknowledged"]
    assert plant.record("press").by == "ana"
    now = now_ms()
    assert plant.act("press", "shelve", now + 3_600_000, "bearing on order")[2] == "shelved"
    assert plant.act("press", "unshelve")[1:] == ["shelved", "acknowledged"]
    assert plant.act("press", "shelve", now - 1)[2] == "acknowledged"
    assert plant.act("press", "retire")[2] == "retired"
    assert plant.act("press", "shelve", now + 1) == ["retired"]
    assert plant.see("press", "hhh", START + 20_000).state == "retired"
    assert plant.act("press", "restore")[2] == "acknowledged"
    assert plant.in_state("retired") == [] and plant.in_state("acknowledged") == ["press"]


def test_an_act_that_changes_nothing_says_so(plant: Plant) -> None:
    states, later = DeviceStates(plant.client, plant.keys.prefix), now_ms() + 3_600_000
    plant.see("press", "hhh")
    acted = [
        states.act("press", *each)
        for each in (
            ("acknowledge", "ana"),
            ("acknowledge", "eva"),
            ("shelve", "ana", later, "bearing"),
            ("shelve", "eva", later, "bearing"),
            ("acknowledge", "eva"),
            ("shelve", "eva", later, "bearing on order"),
            ("shelve", "eva", later + 1, "bearing on order"),
            ("shelve", "eva", now_ms() - 1),  # it was not yet past when the person pressed the button
        )
    ]
    assert [each.is_changed for each in acted] == [True, False, True, False, False, True, True, False]
    assert plant.record("press").by == "ana"
    assert [state for _, _, state in plant.events()] == ["alarm", "acknowledged", "shelved"]


def test_the_undo_of_an_acknowledgment_changes_that_one_alone(plant: Plant) -> None:
    """If the alarm ended meanwhile, or another one was acknowledged, nothing changes."""
    states = DeviceStates(plant.client, plant.keys.prefix)

    def undo(at: float | None) -> tuple[str, str]:
        return states.act("press", "unacknowledge", "eva", int(at or 0))[:2]

    plant.see("press", "hhh", rule=Rule(hold_s=0.0))
    raised = plant.record("press")
    with pytest.raises(Conflict, match="no alarm that is acknowledged"):
        undo(None)
    assert plant.record("press") == raised
    plant.act("press", "acknowledge")
    first = plant.record("press").at
    assert states.acknowledged(int(first or 0), int(first or 0), 9) == ["press"]
    assert undo(first) == ("acknowledged", "alarm")
    again = plant.record("press")
    assert (again.by, again.at, again.label, again.reading) == (None, None, raised.label, raised.reading)
    assert plant.in_state("alarm") == ["press"] and plant.in_state("acknowledged") == []
    assert plant.events()[-1] == ("press", "acknowledged", "alarm")
    assert plant.waiting()["press"] == str(again.version) and again.version > raised.version
    assert again.since == raised.since

    plant.act("press", "acknowledge")
    second = plant.record("press").at
    assert plant.see("press", "l" * 60, START + 60_000, Rule(off_s=5.0, hold_s=0.0)).state == "ok"
    for at in (first, second):
        with pytest.raises(Conflict, match="nothing was changed"):
            undo(at)
    assert plant.record("press").state == "ok"
    plant.see("press", "hhh", START + 200_000, rule=Rule(hold_s=0.0))
    plant.act("press", "acknowledge")
    with pytest.raises(Conflict, match="another one began"):
        undo(second)
    assert plant.record("press").state == "acknowledged"


def test_an_acknowledgment_is_undone_while_the_device_is_shelved(plant: Plant) -> None:
    states = DeviceStates(plant.client, plant.keys.prefix)
    plant.see("press", "hhh")
    plant.act("press", "acknowledge")
    at = int(plant.record("press").at or 0)
    plant.act("press", "shelve", now_ms() + 3_600_000)
    assert states.act("press", "unacknowledge", "eva", at) == ("shelved", "shelved", True)
    assert plant.act("press", "unshelve")[1:] == ["shelved", "alarm"]


def test_an_alarm_that_came_back_keeps_its_place_and_is_not_acknowledged_unseen(
    plant: Plant, eventually: Callable[..., None]
) -> None:
    """Who read the list while it was not in it has not seen it, however long ago it began."""
    states, times = DeviceStates(plant.client, plant.keys.prefix), AlarmTimeReader(plant.client, plant.keys.prefix)
    for device in ("press", "lathe", "mill", "saw"):
        plant.see(device, "hhh")
        begun = now_ms()
        eventually(lambda begun=begun: now_ms() > begun, "the next millisecond")
    order = ["press", "lathe", "mill", "saw"]
    begins = [plant.record(device).since for device in order]
    assert plant.in_state("alarm") == order and begins == sorted(set(begins))
    plant.act("press", "acknowledge")
    at = int(plant.record("press").at or 0)
    plant.act("lathe", "shelve", now_ms() + 3_600_000)
    plant.act("mill", "retire")
    eventually(lambda: now_ms() > at, "the next millisecond")
    seen = now_ms()
    eventually(lambda: now_ms() > seen, "the next millisecond")
    states.act("press", "unacknowledge", "eva", at)
    plant.act("lathe", "unshelve")
    plant.act("mill", "restore")
    assert [plant.record(device).since for device in order] == begins
    assert plant.in_state("alarm") == order
    assert states.in_alarm(seen, 9) == ["saw"] == states.in_alarm(seen, 1)
    assert states.in_alarm(now_ms(), 9) == order
    assert states.in_alarm(now_ms(), 2) == order[:2]
    spent = times.read()
    assert spent.ms["press"] >= spent.until - begins[0] - 1, "the time in alarm counts on"
    assert spent.ms["lathe"] < spent.until - begins[1], "without the time in which it was shelved"
    device = json.loads(published("press", plant.record("press")))
    plant.act("press", "acknowledge")
    again = json.loads(published("press", plant.record("press")))
    assert (again["since"], again["acknowledged_by"]) == (device["since"], "ana")
    assert again["acknowledged_at"] == optional_iso(plant.record("press").at)
    (shown,) = Devices(plant.client, plant.keys.prefix).page(1, 0, ("acknowledged",))[0]
    assert (shown.since, shown.acknowledged_at) == (again["since"], again["acknowledged_at"])


PEOPLE = ["acknowledge", "undo", "undo an old one", "shelve", "unshelve", "retire", "restore"]
acts_and_readings = st.lists(st.sampled_from([*PEOPLE, "h", "h", "h", "l"]), max_size=30)


@given(steps=acts_and_readings)
@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_after_an_undo_the_alarm_is_as_if_nobody_had_acknowledged_it(plant: Plant, steps: list[str]) -> None:
    """The readings alone decide whether there is an alarm, and since when; acts decide only who has it."""
    states, rule = DeviceStates(plant.client, plant.keys.prefix), Rule(hold_s=0.0, off_s=0.0)
    plant.client.delete(plant.keys.states)
    track, now, clock, by, over, begun = Track(), now_ms(), 0, False, "", (0.0, 0.0)
    for what in steps:
        if what in "hl":
            clock += 1_000
            before = now_ms()
            plant.see("press", what, START + clock, rule)
            was, track = track, step(track, START + clock, what, rule, now)
            by = by and track.condition == "alarm"
            if track.condition == "alarm" != was.condition:
                begun = (before, now_ms())
        elif what in ("shelve", "unshelve", "retire", "restore"):
            done = plant.act("press", what, now_ms() + 3_600_000 if what == "shelve" else "")
            if done[0] == "":
                over = {"shelve": "shelved", "retire": "retired"}.get(what, "")
                if what == "restore":
                    over = "shelved" if plant.record("press").until else ""
        elif what == "acknowledge":
            done = plant.act("press", "acknowledge")
            if track.condition == "alarm" and clock and over != "retired":
                by = True
            else:
                assert done in (["absent"], ["not in alarm"], ["retired"])
        elif clock:
            present = plant.record("press").at if by else None
            at = 1.0 if what == "undo an old one" or present is None else present
            if by and at == present and over != "retired":
                states.act("press", "unacknowledge", "eva", int(at))
                by = False
            else:
                with pytest.raises(Conflict):
                    states.act("press", "unacknowledge", "eva", int(at))
        if clock:
            record = plant.record("press")
            expected = over or ("acknowledged" if by else track.condition)
            assert (record.state, record.by is not None) == (expected, by)
            if expected in IN_ALARM:
                assert begun[0] <= record.since <= begun[1], "the readings say since when"
                begun = (record.since, record.since)
                score = plant.client.zscore(plant.keys.in_state(expected), "press")
                assert score == (record.at if by else record.since)


def test_shelving_ends_automatically(plant: Plant, eventually: Callable[..., None]) -> None:
    plant.see("press", "hhh")
    plant.act("press", "shelve", now_ms() + 50)
    eventually(lambda: plant.sweep()[0] and plant.record("press").state == "alarm", "the end of shelving")
    assert plant.events()[-1] == ("press", "shelved", "alarm")
