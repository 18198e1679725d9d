"""Fixtures: every guarantee of the link is tested with and without the fast lane, on Mosquitto and on iotcore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from threading import Event

import pytest

from tests import servers
from zelador.link import Link, LinkOptions
from zelador.settings import MqttSettings

Make = Callable[..., Link]


@pytest.fixture(scope="session")
def iotcore_url() -> Iterator[str]:
    with servers.run_broker("embedded") as running:
        yield running.url


@pytest.fixture(scope="session")
def mosquitto_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the suite's broker if it is a Mosquitto (a container, or from the PATH)."""
    if servers.kind_for("mosquitto") != "embedded":
        yield request.getfixturevalue("mqtt_url")
        return
    servers.found_or_skip("mosquitto")
    with servers.run_broker("local") as running:
        yield running.url


@pytest.fixture(params=["lane", "paho"])
def lane(request: pytest.FixtureRequest) -> bool:
    return request.param == "lane"


@pytest.fixture(params=["mosquitto", "iotcore"])
def broker_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def make_to(lane: bool) -> Iterator[Make]:
    """Opens links to a given URL; closes them at the end."""
    made: list[Link] = []

    def link(
        url: str,
        client_id: str,
        *filters: str,
        persistent: bool = False,
        mqtt: dict[str, object] | None = None,
        patience: float = 5.0,
        **options: object,
    ) -> Link:
        settings = MqttSettings(url=url, lane=lane, **(mqtt or {}))  # type: ignore[arg-type]
        new = Link(settings, LinkOptions(client_id, filters, persistent, **options), Event())  # type: ignore[arg-type]
        made.append(new)
        new.open(patience)
        return new

    yield link
    for link_made in made:
        link_made.close()


@pytest.fixture
def make(make_to: Make, broker_url: str) -> Make:
    """Opens links to the test's real broker."""
    return partial(make_to, broker_url)
