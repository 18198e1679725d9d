"""The state of a device in Redis: the rule, silence, what people do, and the outbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
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
from zelador.buffer import Outcome, Refused, Sighting, Sightings
from zelador.clock import now_ms
from zelador.errors import Conflict
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
    for device in devices[:15]:  # the broker is back, and five devices are not
        plant.writer._noted.clear()
        plant.see(device, "l", START + 9_000)
    assert plant.sweep()[1] == 0
    assert plant.events() == [("", "ok", "unknown"), ("", "unknown", "ok")]
    plant.look_now()
    assert plant.sweep()[1] == 5
    assert len(plant.events()) == 7 and plant.in_state("unknown") == sorted(devices[15:])


def test_readings_that_are_set_aside_or_quarantined_make_a_device_unknown(plant: Plant) -> None:
    for device in ("press", "lathe", "mill"):
        plant.see(device, "l")
    record = plant.see("press", "xxxxx", START + 5_000)
    assert (record.state, record.reason) == ("unknown", "set aside")
    assert plant.see("press", "l", START + 20_000).state == "ok"


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


def test_the_undo_of_an_acknowledgment_changes_that_one_alone(plant: Plant) -> None:
    """If the alarm ended meanwhile, or another one was acknowledged, nothing changes."""
    states = DeviceStates(plant.client, plant.keys.prefix)

    def undo(at: float | None) -> tuple[str, str]:
        return states.act("press", "unacknowledge", "eva", int(at or 0))

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
    assert states.act("press", "unacknowledge", "eva", at) == ("shelved", "shelved")
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


def test_a_state_that_changed_after_it_was_published_is_published_again(plant: Plant) -> None:
    plant.see("press", "l")
    announced = plant.waiting()
    plant.see("press", "hhh", START + 5_000)
    done = plant.library.call("announced", [plant.keys.announce], [part for pair in announced.items() for part in pair])
    newest = plant.waiting()["press"]
    assert done == 0 and int(newest) > int(announced["press"])
    assert plant.library.call("announced", [plant.keys.announce], ["press", newest]) == 1


def test_a_version_never_decreases(plant: Plant, settings: Settings) -> None:
    """Not when a device is forgotten and returns, and not when Redis restarts without its last second."""
    states = DeviceStates(plant.client, settings.redis.prefix)
    first = plant.see("press", "hhh").version
    least = states.announce_all(100, "run-1")
    assert states.announce_all(100, "run-1") == least, "it is the same Redis: what it has is the newest"
    assert states.announce_all(100, "run-2") > max(first, least), "it may have lost what was published"
    known = states.announce_all(100, None)
    assert states.announce_all(100, None) > known, "who cannot know must assume it"
    plant.client.zrem(plant.keys.devices, "press")
    plant.look_now()
    plant.sweep()
    assert plant.see("press", "l").version > first


def test_a_device_that_was_never_classified_is_unknown(plant: Plant, settings: Settings) -> None:
    """Its readings wait, or all of its messages are refused. While they wait, nobody is alerted."""
    plant.send("waiting")
    bad = Refused.of(
        settings.topics.reading.format(device_id="broken"),
        "not JSON",
        b"{",
        now_ms(),
        most=100,
        heard=(("broken", -1),),
    )
    plant.writer.append([], [bad])
    due: Any = plant.client.zrange(plant.keys.due, 0, -1)
    assert set(due) == {b"waiting", b"broken"}
    plant.look_now()
    plant.sweep()
    assert [(plant.record(d).state, plant.record(d).reason) for d in ("waiting", "broken")] == [
        ("unknown", "not classified"),
        ("unknown", "quarantined"),
    ]
    assert plant.waiting().keys() == {"waiting", "broken"}
    assert plant.events() == [("broken", "ok", "unknown")]
    assert plant.see("waiting", "l").state == "ok"
    plant.send("worn")
    plant.look_now()
    plant.sweep()
    assert plant.see("worn", "hhh").state == "alarm"
    assert plant.events()[-1] == ("worn", "ok", "alarm"), "its readings waited, and somebody must hear of the alarm"
    record = plant.see("other", "x")
    assert (record.state, record.reason) == ("unknown", "set aside"), "one that the model could never answer is not ok"
    assert plant.events()[1:] == [("worn", "ok", "alarm"), ("other", "ok", "unknown")]


def test_the_published_state_changes_with_each_of_its_fields(plant: Plant) -> None:
    """A subscriber of the retained message knows everything that the API says."""
    later = now_ms() + 3_600_000
    plant.see("press", "hhh")

    def changed(act: Callable[[], object]) -> bool:
        before = plant.waiting()["press"]
        act()
        return plant.waiting()["press"] != before

    assert not changed(lambda: plant.see("press", "hhh", START + 5_000)), "the alarm goes on"
    assert plant.record("press").measured_at == START + 7_000
    assert changed(lambda: plant.act("press", "shelve", later))
    assert changed(lambda: plant.act("press", "shelve", later + 60_000, "a part on order")), "shelved for longer"
    assert changed(lambda: plant.act("press", "acknowledge")), "by whom"
    assert changed(lambda: plant.act("press", "unshelve"))
    for device in ("lathe", "mill"):
        plant.see(device, "l")
    plant.heard_before(100, "press")
    plant.look_now()
    assert changed(plant.sweep) and plant.record("press").reason == "silent", "an alarm that fell silent"
    assert changed(lambda: plant.see("press", "h", START + 20_000)) and plant.record("press").reason is None
    assert plant.record("press").state == "acknowledged"


def test_the_outbox_of_many_devices_becomes_empty(plant: Plant, settings: Settings) -> None:
    """Its hash keeps its size while devices leave it, so that a page of it may be empty."""
    states = DeviceStates(plant.client, settings.redis.prefix)
    plant.client.hset(plant.keys.announce, mapping={f"d{number}": "1" for number in range(20_000)})
    taken = 0
    while waiting := states.waiting(500):
        taken += len(waiting)
        states.announced([(device, version) for device, version, _ in waiting])
    assert taken == 20_000 and plant.waiting() == {}
