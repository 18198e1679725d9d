"""Alarms that begin and end within one batch, as after an outage: each is an event, with the reading that began it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.device_states import START, Plant
from zelador.alarms import Rule, Track, step
from zelador.alarms.state import PublishedState, Record, published
from zelador.buffer import Outcome, Sightings
from zelador.clock import now_ms
from zelador.settings import Settings

QUICK = Rule(off_s=5.0)
Batch = list[tuple[int, str]]  # seconds after START, level

rules = st.builds(
    Rule,
    on_count=st.integers(1, 3),
    window=st.integers(3, 5),
    off_count=st.integers(1, 3),
    off_s=st.sampled_from([0.0, 2.0]),
    hold_s=st.sampled_from([0.0, 8.0, 20.0]),
)
readings = st.tuples(st.integers(0, 3), st.sampled_from("hhhmlll"))  # seconds after the reading before
batches = st.lists(st.lists(readings, min_size=1, max_size=40), min_size=1, max_size=4)


@pytest.fixture
def plant(settings: Settings) -> Plant:
    return Plant(settings)


def settle(plant: Plant, batch: Batch, rule: Rule = QUICK) -> Record:
    """One batch of one device. The id of a reading is its second."""
    high: list[Any] = ["m"] if any(level == "h" for _, level in batch) else []
    for second, level in batch:
        high += ("yes", 0.9, str(second)) if level == "h" else ()
    flat = ("press", "".join(level for _, level in batch), *[START + second * 1000 for second, _ in batch], *high)
    plant.send("press")
    entries = plant.workers[0].read(1_000, 0.1) or plant.workers[0].read(1_000, 0.1)  # the first makes the group
    plant.workers[0].settle([Outcome(each.stream_id, each.count) for each in entries], [], Sightings((rule,), flat))
    return plant.record("press")


def seconds(levels: str, first: int = 0) -> Batch:
    return list(enumerate(levels, first))


def alarms(plant: Plant) -> list[str]:
    """The readings that began alarms, by the events."""
    found: Any = plant.client.xrange(plant.keys.device_events)
    return [fields[b"reading_id"].decode() for _, fields in found if fields[b"to"] == b"alarm"]


def changes(plant: Plant) -> list[tuple[str, str]]:
    return [(before, after) for _, before, after in plant.events()]


def test_an_alarm_that_is_over_at_the_end_of_a_batch_is_an_event(plant: Plant) -> None:
    """Workers were away for some minutes. The next alarm within the hour is chattering, so this one must be known."""
    settle(plant, seconds("l"))
    record = settle(plant, seconds("hhh" + "l" * 12, 1))
    assert record.state == "ok" and alarms(plant) == ["3"]
    assert changes(plant) == [("ok", "alarm"), ("alarm", "ok")]
    assert settle(plant, seconds("hhh", 100)).reason == "chattering"
    assert plant.in_state("suspect") == ["press"] and plant.in_state("ok") == plant.in_state("alarm") == []


def test_a_device_whose_alarm_has_passed_is_well_since_then(plant: Plant) -> None:
    before = settle(plant, seconds("l"))
    plant.client.delete(plant.keys.announce)
    after = settle(plant, seconds("hhh" + "l" * 12, 1))
    assert after.since >= before.since and after.version > before.version
    assert plant.waiting() == {"press": str(after.version)} and plant.in_state("ok") == ["press"]
    said = json.loads(published("press", after))
    assert said.keys() == set(PublishedState.__struct_fields__) and said["reading_id"] is None


def test_an_alarm_that_ends_and_another_that_begins_in_one_batch_are_two(plant: Plant) -> None:
    """The second one was not acknowledged by anybody."""
    rule = Rule(off_s=5.0, hold_s=10.0)
    settle(plant, seconds("hhh"), rule)
    plant.act("press", "acknowledge")
    record = settle(plant, seconds("l" * 12 + "hhhh", 3), rule)
    assert (record.state, record.by, record.reading) == ("alarm", None, "17")
    assert changes(plant)[1:] == [("alarm", "acknowledged"), ("acknowledged", "ok"), ("ok", "alarm")]
    assert alarms(plant) == ["2", "17"]


def test_alarms_of_shelved_and_retired_devices_are_no_events(plant: Plant) -> None:
    settle(plant, seconds("l"))
    plant.act("press", "shelve", now_ms() + 3_600_000, "wait")
    settle(plant, seconds("hhh" + "l" * 12, 1))
    assert changes(plant) == [("ok", "shelved")]


@given(rule=rules, batches=batches)
@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_events_are_those_of_single_readings(plant: Plant, rule: Rule, batches: list[Batch]) -> None:
    """However readings are divided among batches, their alarms are the same, and begin with the same readings."""
    plant.client.delete(plant.keys.states, plant.keys.device_events)
    track, clock, begun = Track(), 100, list[str]()
    evidence: str | None = None
    now = now_ms()
    for gaps in batches:
        batch: Batch = []
        for gap, level in gaps:
            clock += gap
            batch.append((clock, level))
            was, track = track, step(track, START + clock * 1000, level, rule, now)
            if track.condition == "ok":
                evidence = None
            elif track.condition != was.condition:
                evidence = str(clock)
            if was.condition != "alarm" == track.condition:
                begun.append(str(clock))
        record = settle(plant, batch, rule)
        assert alarms(plant) == begun and record.reading == evidence
        events = changes(plant)
        assert not events or events[-1][1] == record.state or (events[-1][1], record.state) == ("ok", "suspect")
        assert all(one[1] == other[0] for one, other in itertools.pairwise(events))
