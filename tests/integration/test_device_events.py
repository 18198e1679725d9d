"""The events of a device: they join, and the last one says the present state. Also how many devices a sweep takes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.device_states import START, Plant
from zelador.settings import Settings


@pytest.fixture
def plant(settings: Settings) -> Plant:
    return Plant(settings)


def changes(plant: Plant) -> list[tuple[str, str]]:
    return [(before, after) for device, before, after in plant.events() if device == "press"]


def a_minute_passes(plant: Plant) -> None:
    text: Any = plant.client.hget(plant.keys.states, "press")
    record = msgspec.msgpack.decode(text)
    plant.client.hset(plant.keys.states, "press", msgspec.msgpack.encode({**record, "noted": record["noted"] - 61_000}))


def test_one_odd_reading_is_over_in_the_events_too(plant: Plant) -> None:
    """Its end comes seconds later, and nothing may follow for weeks."""
    plant.see("press", "lh")
    plant.see("press", "lllll", START + 10_000)
    assert changes(plant) == [("ok", "suspect"), ("suspect", "ok")]


def test_a_device_that_flaps_gives_two_events_a_minute(plant: Plant) -> None:
    plant.see("press", "l")
    for second in range(10, 200, 20):
        plant.see("press", "h", START + second * 1000)
        plant.see("press", "lllll", START + (second + 10) * 1000)
    assert changes(plant) == [("ok", "suspect"), ("suspect", "ok")]
    plant.see("press", "h", START + 210_000)
    a_minute_passes(plant)
    plant.see("press", "l", START + 220_000)
    assert changes(plant)[2:] == [("ok", "suspect")], "it stays suspect"
    plant.see("press", "lllll", START + 230_000)
    assert changes(plant)[3:] == [("suspect", "ok")]


def test_an_alarm_after_a_change_that_is_no_event(plant: Plant) -> None:
    plant.see("press", "lh")
    plant.see("press", "lllll", START + 10_000)
    plant.see("press", "h", START + 20_000)
    plant.see("press", "hh", START + 30_000)
    assert changes(plant) == [("ok", "suspect"), ("suspect", "ok"), ("ok", "alarm")]


def test_a_device_that_was_suspect_before_the_whole_fleet_fell_silent(plant: Plant) -> None:
    devices = ["press", "lathe", "mill", "saw"]
    for device in devices:
        plant.see(device, "lh" if device == "press" else "l")
    plant.heard_before(70, *devices)
    plant.look_now()
    plant.sweep()
    plant.writer._noted.clear()
    assert plant.see("press", "l", START + 9_000).state == "ok"
    assert changes(plant) == [("ok", "suspect"), ("suspect", "ok")]


def test_a_device_that_stays_silent_after_the_fleet_was_well_before(plant: Plant) -> None:
    devices = ["press", "lathe", "mill", "saw"]
    for device in devices:
        plant.see(device, "l")
    plant.heard_before(70, *devices)
    plant.look_now()
    plant.sweep()
    plant.writer._noted.clear()
    plant.see("lathe", "l", START + 9_000)
    plant.look_now()
    plant.sweep()
    assert changes(plant) == [("ok", "unknown")] and plant.record("press").reason == "silent"
    plant.see("press", "l", START + 20_000)
    assert changes(plant) == [("ok", "unknown"), ("unknown", "ok")]


def test_a_sweep_takes_many_devices_that_are_well_and_a_limited_number_of_others(plant: Plant) -> None:
    well, silent = [f"well-{number}" for number in range(30)], [f"silent-{number}" for number in range(25)]
    for device in [*well, *silent]:
        plant.see(device, "l")
    plant.client.set(plant.keys.silence_seen, "+inf")  # only those in `due`
    plant.look_now()
    looked = plant.sweep(limit=10)[0]
    assert looked == 40, "none of them needs more than a look"
    plant.sweep(limit=10)
    plant.heard_before(100, *silent)
    plant.client.zadd(plant.keys.due, dict.fromkeys([*well, *silent], 1))
    steps = [plant.sweep(limit=10) for _ in range(5)]
    assert sum(silent for _, silent, _ in steps) == 25 and max(silent for _, silent, _ in steps) == 10
    assert plant.in_state("unknown") == sorted(silent)
