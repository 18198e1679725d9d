"""States of devices, as an outside client sees them, through deaths of two workers, Redis and the broker."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from command.up.ports import choose
from operations.key_file import first_key
from tests.faults.book import Book
from tests.faults.conftest import whole_matrix
from tests.faults.plant import WELL, WORN, Api, Plant, between, reading
from tests.faults.process import Process
from tests.faults.site import PREFIX, ROOT, Failed, Shape, Site
from tests.wire import HOST
from zelador.settings import Settings, environment

pytestmark = whole_matrix

SILENT_S = 8.0
SHOWN_S = 2.0  # silence is shown so soon after its bound
NOTED_S = 1.0  # accuracy of the time at which a device was last heard
MANY = 10_000


@dataclass
class Scene:
    site: Site
    plant: Plant
    api: Api

    def agree(self) -> bool:
        """True if the retained state of every device is the one in the API."""
        said = self.api.said()
        return said is not None and said == self.plant.said()


@pytest.fixture
def scene(data: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    folder = data / request.node.name
    folder.mkdir()
    shape = Shape(workers=2, settings={"alarm": {"classes": ("yes",), "silent_s": SILENT_S}})
    with Site(folder, shape, Book("a")) as site:
        port = choose(["api"], {}, {})["api"]
        settings = Settings(
            redis={"url": f"redis://{HOST}:{site.ports['redis']}/0", "prefix": PREFIX},  # type: ignore[arg-type]
            registry={"url": str(folder / "registry")},  # type: ignore[arg-type]
            api={"port": port, "keys_file": str(folder / "keys.json"), "rate_per_s": 1_000, "rate_burst": 9_000},  # type: ignore[arg-type]
        )
        key = first_key(folder / "keys.json") or ""
        variables = {**environment(settings), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        site.processes["api"] = Process("api", (sys.executable, "-m", "zelador", "api"), folder / "api.log", variables)
        site.start("api")
        plant, api = Plant(site.ports["mqtt"], request.node.name), Api(port, key)
        try:
            site.wait(lambda: api.ask("GET", "/v1/devices")[0] == 200, "the API", 60)
            yield Scene(site, plant, api)
        finally:
            plant.close()


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
