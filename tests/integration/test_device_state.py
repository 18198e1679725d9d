"""The state of a device in Redis: the rule, and silence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.device_states import START, Plant
from zelador.alarms import Rule, Track, step
from zelador.alarms.store import DeviceStates
from zelador.buffer import Outcome, Sighting, Sightings
from zelador.clock import now_ms
from zelador.settings import Settings


@pytest.fixture
def plant(settings: Settings) -> Plant:
    return Plant(settings)


rules = st.builds(
    Rule,
    on_count=st.integers(1, 3),
    window=st.integers(3, 6),
    off_count=st.integers(1, 3),
    off_s=st.sampled_from([0.0, 2.0, 5.0]),
    hold_s=st.sampled_from([0.0, 8.0, 25.0]),
)
readings = st.tuples(st.integers(-2, 4), st.sampled_from("hhhmlllx"))  # seconds after the reading before
batches = st.lists(st.lists(readings, min_size=1, max_size=8), min_size=4, max_size=12)


@given(rule=rules, batches=batches)
@examples(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_redis_follows_the_rule(plant: Plant, rule: Rule, batches: list[list[tuple[int, str]]]) -> None:
    """This holds for any readings, in any order, however they are divided among batches and workers."""
    plant.client.delete(plant.keys.states)
    track, now, clock = Track(), now_ms(), 30
    for number, gaps in enumerate(batches):
        batch = list[tuple[int, str]]()
        for gap, level in gaps:
            clock += gap
            batch.append((clock, level))
        batch.sort(key=lambda one: one[0])
        if batch[1:] == [] and batch[0][1] == "l":  # as one of many devices without trouble
            seconds = batch[0][0]
            track = step(track, START + seconds * 1000, "l", rule, now)
            plant.settle_calm(rule, "press", START + seconds * 1000)
            assert int(plant.record("press").measured_at) == track.measured_at
            continue
        for seconds, level in batch:
            track = step(track, START + seconds * 1000, level, rule, now)
        levels, times = "".join(level for _, level in batch), tuple(START + s * 1000 for s, _ in batch)
        plant.settle(rule, Sighting("press", levels, times, 1, "yes", 0.9, "r", "a"), worker=number % 2)
        stored = plant.record("press")
        assert int(stored.measured_at) == track.measured_at
        state = "suspect" if track.condition == "chattering" else track.condition
        if stored.silent and state != "alarm":  # an alarm stays one
            state = "unknown"
        elif track.condition == "chattering":
            assert stored.reason == "chattering"
        assert stored.state == state


def test_one_odd_reading_is_not_an_alarm_and_an_alarm_does_not_flap(plant: Plant) -> None:
    assert plant.see("press", "llllhl").state == "suspect"
    assert plant.see("press", "llll", START + 10_000).state == "ok"
    for second in range(0, 3_600, 10):  # an hour in which every other reading says yes
        plant.see("press", "hlhlhlhlhl", START + 20_000 + second * 1000)
    alarms = [event for event in plant.events() if event[2] == "alarm"]
    assert len(alarms) == 1
    record = plant.record("press")
    assert (record.state, record.label, record.probability, record.model) == ("alarm", "yes", 0.9, "model-a")
    after = START + 20_000 + 3_600_000
    assert plant.see("press", "l" * 30, after).state == "alarm", "it must be well for a minute"
    assert plant.see("press", "l" * 40, after + 30_000).state == "ok"
    assert plant.see("press", "h", START).state == "ok", "a late reading changes nothing"


def test_the_state_of_a_calm_device_is_a_short_text(plant: Plant) -> None:
    plant.see("press", "lll")
    text: Any = plant.client.hget(plant.keys.states, "press")
    assert len(text) < 45 and text.count(b" ") == 2
    before = plant.waiting()
    assert before.keys() == {"press"} and plant.in_state("ok") == ["press"]
    plant.see("press", "lll", START + 10_000)
    assert plant.waiting() == before, "nothing has changed"


def test_settling_entries_that_are_not_pending_changes_no_state(plant: Plant) -> None:
    """Another worker has taken over the entry and settled it."""
    plant.see("press", "l")
    seen = Sightings.of((Rule(),), (Sighting("press", "hhh", (START + 5000, START + 6000, START + 7000), 1),))
    plant.workers[0].settle([Outcome("1-1", 3)], [], seen)
    assert plant.record("press").state == "ok"


def test_silence_is_unknown_and_ends_with_the_next_reading(plant: Plant) -> None:
    for device in ("press", "lathe", "mill"):
        plant.see(device, "ll")
    plant.heard_before(59, "press")
    plant.look_now()
    assert plant.sweep()[1] == 0 and plant.record("press").state == "ok"
    plant.heard_before(61, "press")
    plant.look_now()
    assert plant.sweep()[1:] == [1, b""]
    record = plant.record("press")
    assert (record.state, record.reason) == ("unknown", "silent")
    assert plant.see("press", "l", START + 9_000).state == "ok"
    assert plant.events() == [("press", "ok", "unknown"), ("press", "unknown", "ok")]


def test_an_alarm_that_falls_silent_stays_an_alarm(plant: Plant) -> None:
    for device in ("press", "lathe", "mill"):
        plant.see(device, "hhh" if device == "press" else "l")
    plant.heard_before(100, "press")
    plant.look_now()
    plant.sweep()
    record = plant.record("press")
    assert record.state == "alarm" and record.silent is not None


def test_an_alarm_does_not_end_by_readings_from_before_a_silence(plant: Plant) -> None:
    for device in ("press", "lathe", "mill"):
        plant.see(device, "hhhllll" if device == "press" else "l")
    plant.heard_before(100, "press")
    plant.look_now()
    plant.sweep()
    assert plant.see("press", "l", START + 3_600_000).state == "alarm", "nobody knows what was in between"
    assert plant.see("press", "l" * 65, START + 3_601_000).state == "ok"


def test_trouble_soon_after_an_alarm_is_no_new_alarm_and_not_ok(plant: Plant) -> None:
    """Its state says why, it survives a silence, and it is an alarm once the hour is over."""
    for device in ("lathe", "mill"):
        plant.see(device, "l")
    plant.see("press", "hhh")
    assert plant.see("press", "l" * 64, START + 3_000).state == "ok"
    record = plant.see("press", "hhh", START + 300_000)
    assert (record.state, record.reason, record.label) == ("suspect", "chattering", "yes")
    assert plant.act("press", "acknowledge") == ["not in alarm"]
    plant.heard_before(100, "press")
    plant.look_now()
    plant.sweep()
    assert (plant.record("press").state, plant.record("press").reason) == ("unknown", "silent")
    record = plant.see("press", "l", START + 600_000)
    assert (record.state, record.reason) == ("suspect", "chattering"), "missing data end no trouble"
    assert plant.see("press", "h", START + 3_601_000).state == "suspect"
    assert plant.see("press", "m", START + 3_602_000).state == "suspect", "an alarm begins with trouble"
    record = plant.see("press", "h", START + 3_603_000)
    assert (record.state, record.reason) == ("alarm", None)
    assert [before for _, before, after in plant.events() if after == "alarm"] == ["ok", "suspect"]


def test_an_alarm_that_returns_must_be_acknowledged_again(plant: Plant) -> None:
    prompt = Rule(hold_s=0.0)
    plant.see("press", "hhh")
    plant.act("press", "acknowledge")
    assert plant.see("press", "l" * 70 + "hh", START + 10_000, prompt).state == "suspect", (
        "readings of one alarm begin no other"
    )
    record = plant.see("press", "h", START + 90_000, prompt)
    assert (record.state, record.by) == ("alarm", None)


def test_a_batch_of_which_another_worker_settled_a_part_counts_no_reading_twice(plant: Plant) -> None:
    plant.see("press", "lhh")
    plant.send("press")
    (entry,) = plant.workers[0].read(10, 0.1)
    seen = Sightings.of((Rule(),), (Sighting("press", "h", (START + 2_000,), 1, "yes", 0.9, "r", "a"),))
    plant.workers[0].settle([Outcome("1-1", 1), Outcome(entry.stream_id, 1)], [], seen)
    assert plant.record("press").state == "suspect"


def test_a_device_with_long_gaps_is_silent_later(plant: Plant) -> None:
    for device in ("logger", "lathe", "mill"):
        plant.see(device, "l")
    for _ in range(3):
        plant.heard_before(600, "logger")
        plant.writer._noted.clear()
        plant.see("logger", "l", START + 9_000)
    plant.heard_before(2_000, "logger")
    plant.look_now()
    assert plant.sweep()[1] == 0
    plant.heard_before(6_000, "logger")
    plant.look_now()
    assert plant.sweep()[1] == 1
    plant.heard_before(700, "lathe")
    plant.look_now()
    assert plant.sweep("800000")[1] == 0, "a setting overrides what was learned"


def test_a_fleet_that_is_silent_is_one_event(plant: Plant) -> None:
    devices = [f"d{number}" for number in range(20)]
    for device in devices:
        plant.see(device, "l")
    plant.heard_before(70, *devices)
    plant.look_now()
    assert plant.sweep()[1] == 20
    assert {plant.record(device).state for device in devices} == {"unknown"}
    assert plant.events() == [("", "ok", "unknown")]
    states = DeviceStates(plant.client, plant.keys.prefix)
    newest: Any = plant.client.zscore(plant.keys.devices, devices[0])
    assert states.silent_since() == round(newest)
    for device in devices[:15]:  # the broker is back, and five devices are not
        plant.writer._noted.clear()
        plant.see(device, "l", START + 9_000)
    assert plant.sweep()[1] == 0
    assert plant.events() == [("", "ok", "unknown"), ("", "unknown", "ok")]
    assert plant.record(devices[-1]).reason == "fleet"
    assert states.silent_since() is None, "what other devices were silent for is no longer so"
    plant.look_now()
    assert plant.sweep()[1] == 5
    assert len(plant.events()) == 7 and plant.in_state("unknown") == sorted(devices[15:])


def test_readings_that_are_set_aside_or_quarantined_make_a_device_unknown(plant: Plant) -> None:
    for device in ("press", "lathe", "mill"):
        plant.see(device, "l")
    record = plant.see("press", "xxxxx", START + 5_000)
    assert (record.state, record.reason) == ("unknown", "set aside")
    assert plant.see("press", "l", START + 20_000).state == "ok"


def test_a_clock_that_was_set_back_is_accepted_after_a_minute(plant: Plant) -> None:
    plant.see("press", "hhh", START + 3_600_000)
    assert plant.see("press", "llll", START).measured_at == START + 3_602_000
    text: Any = plant.client.hget(plant.keys.states, "press")
    now = now_ms()
    plant.client.hset(
        plant.keys.states, "press", msgspec.msgpack.encode({**msgspec.msgpack.decode(text), "late": now - 61_000})
    )
    assert plant.see("press", "llll", START + 10_000).measured_at == START + 13_000


def test_a_forgotten_device_leaves_nothing(plant: Plant) -> None:
    plant.see("press", "hhh")
    plant.client.zrem(plant.keys.devices, "press")
    plant.look_now()
    plant.sweep()
    assert plant.client.hgetall(plant.keys.states) == {} and plant.in_state("alarm") == []
    assert plant.waiting() == {"press": "gone"}
