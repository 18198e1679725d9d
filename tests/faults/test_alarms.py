"""States of devices, as an outside client sees them, through deaths of two workers, Redis and the broker."""

from __future__ import annotations

import itertools
import sys
import time
from datetime import datetime, timedelta, timezone

import pytest

from tests.faults.alarm_scene import SILENT_S, Scene
from tests.faults.conftest import whole_matrix
from tests.faults.plant import WELL, WORN, Plant, between, reading
from tests.faults.site import Failed

pytestmark = whole_matrix

SHOWN_S = 2.0  # silence is shown so soon after its bound
NOTED_S = 1.0  # accuracy of the time at which a device was last heard
MANY = 10_000


@pytest.mark.timeout(600)
def test_states_are_right_after_each_death(scene: Scene) -> None:
    """Flapping, slowly failing, silent, late and poisonous devices, and clocks ahead and behind."""
    site, plant, api = scene.site, scene.plant, scene.api
    begun, said = itertools.count(), itertools.count()
    plant.devices = {
        "steady": lambda _: reading(WELL),
        "flapping": lambda number: reading(WORN if number % 2 else WELL),
        "failing": lambda _: reading(between(min(1.0, next(begun) / 150))),
        "acknowledged": lambda _: reading(WORN),
        "shelved": lambda _: reading(WORN),
        "ahead": lambda _: reading(WELL, 3_600),
        "ahead-worn": lambda _: reading(WORN, 3_600),
        "behind": lambda _: reading(WELL, -3_600),
        "behind-worn": lambda _: reading(WORN, -3_600),
        "late": lambda number: reading(WORN, -30) if number % 3 else reading(WELL, 0),
        "odd": lambda number: reading(WORN if number % 40 == 0 else WELL),
        "poison": lambda _: b'{"lux": "x' if next(said) > 20 else reading(WELL),
        "quiet": lambda _: reading(WELL),
    }
    expected = dict.fromkeys(("steady", "ahead", "behind", "late"), "ok")
    expected |= dict.fromkeys(("flapping", "failing", "ahead-worn", "behind-worn"), "alarm")
    expected |= {"acknowledged": "acknowledged", "shelved": "shelved", "poison": "unknown", "quiet": "unknown"}

    def is_so() -> bool:
        return all(plant.state(device) == state for device, state in expected.items()) and scene.agree()

    def await_it(when: str, within_s: float) -> None:
        try:
            site.wait(is_so, f"the right states {when}", within_s)
        except Failed as failed:
            raise Failed(f"expected {expected}; retained {plant.said()}; the API says {api.said()}; {failed}") from None

    for device in ("acknowledged", "shelved"):
        site.wait(lambda device=device: plant.state(device) == "alarm", f"the alarm of {device}", 60)
    assert api.ask("POST", "/v1/devices/acknowledged/acknowledge", {})[0] == 200
    assert (
        api.ask(
            "POST",
            "/v1/devices/shelved/shelve",
            {"until": (datetime.now(timezone.utc) + timedelta(hours=8)).isoformat(), "why": "bearing on order"},
        )[0]
        == 200
    )
    site.wait(lambda: plant.state("quiet") == "ok", "the quiet one", 30)
    del plant.devices["quiet"]
    fell_silent = plant.said_at["quiet"]
    site.wait(lambda: plant.state("quiet") == "unknown", "its silence", SILENT_S + 30)
    shown = plant.changes["quiet"][-1][1] - fell_silent - SILENT_S
    seconds = {"silence shown after": shown}
    await_it("before the first death", 90)
    assert plant.states["poison"]["reason"] == "quarantined"
    victims = ("inference-1", "redis", "inference-2", "broker", "redis", "inference-1", "broker", "inference-2")
    for victim in victims:
        site.restart(victim)
        restarted = time.monotonic()
        await_it(f"after the death of {victim}", 60)
        seconds[victim] = time.monotonic() - restarted
    plant.devices["quiet"] = lambda _: reading(WELL)
    expected["quiet"] = "ok"
    await_it("after its return", 60)
    changes = {device: [state for state, _ in found] for device, found in plant.changes.items()}
    assert changes["flapping"].count("alarm") == 1 == changes["failing"].count("alarm"), changes
    assert "alarm" not in changes["odd"] + changes["late"] + changes["behind"] + changes["ahead"]
    assert not {"ok", "suspect"} & set(changes["acknowledged"][changes["acknowledged"].index("alarm") :]), changes
    sys.stdout.write("".join(f"{what} {value:.2f} s; " for what, value in seconds.items()))
    fresh = Plant(site.ports["mqtt"], "fresh")
    try:
        # A client that connects later gets the same states, except of devices that change all the time.
        site.wait(lambda: {**fresh.said(), "odd": 0} == {**plant.said(), "odd": 0}, "the retained states", 30)
    finally:
        fresh.close()


@pytest.mark.timeout(600)
def test_ten_thousand_devices_fall_silent_while_a_worker_and_the_broker_die(scene: Scene) -> None:
    site, plant = scene.site, scene.plant
    plant.devices = {f"steady-{number}": lambda _: reading(WELL) for number in range(3)}
    names = [f"machine-{number:05d}" for number in range(MANY)]
    for number, name in enumerate(names):
        plant.publish(name, reading(WELL))
        if number == MANY // 2:
            site.kill("inference-1")
    site.start("inference-1")
    site.wait(lambda: len(plant.states) == MANY + 3, "a state of each", 120)
    site.wait(lambda: all(plant.state(name) == "unknown" for name in names[::100]), "their silence", 120)
    site.restart("broker")
    site.wait(lambda: sum(plant.state(name) == "unknown" for name in names) == MANY, "the silence of all", 120)
    site.wait(scene.agree, "agreement", 120)
    assert [plant.state(f"steady-{number}") for number in range(3)] == ["ok"] * 3
    for name in names[:1_000]:
        plant.publish(name, reading(WELL))
    site.wait(lambda: [plant.state(name) for name in names[:1_000]].count("ok") > 0, "a return", 60)
    site.wait(scene.agree, "agreement at the end", 120)
