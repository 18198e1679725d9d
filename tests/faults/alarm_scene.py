"""A site with two workers, the admin API, and a client that hears the states of devices."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from command.up.ports import choose
from operations.key_file import first_key
from tests.faults.book import Book
from tests.faults.plant import Api, Plant
from tests.faults.process import Process
from tests.faults.site import PREFIX, ROOT, Shape, Site
from tests.wire import HOST
from zelador.settings import Settings, environment

SILENT_S = 8.0


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
    """The parameter has settings of alarms."""
    folder = data / request.node.name
    folder.mkdir()
    alarm = {"classes": ("yes",), "silent_s": SILENT_S, **getattr(request, "param", {})}
    shape = Shape(workers=2, settings={"alarm": alarm})
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
