"""The outbox of the states of devices: what was published, and what must be published again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.device_states import START, Plant
from zelador.alarms.store import DeviceStates
from zelador.buffer import Refused
from zelador.clock import now_ms
from zelador.settings import Settings


@pytest.fixture
def plant(settings: Settings) -> Plant:
    return Plant(settings)


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
