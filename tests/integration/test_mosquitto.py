"""Mosquitto with the settings of `up`: queued messages survive its death."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from command.up.ports import choose
from command.up.servers import broker_server
from tests.servers import found_or_skip, run_process
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings

READINGS = 500


@pytest.fixture
def start(tmp_path: Path) -> Callable[[], contextlib.AbstractContextManager[subprocess.Popen[bytes]]]:
    found_or_skip("mosquitto")
    ports = choose(["mqtt", "mqtt3"], {}, {})
    server = broker_server(tmp_path, ports["mqtt"], ports["mqtt3"], "mosquitto")

    @contextlib.contextmanager
    def run() -> Iterator[subprocess.Popen[bytes]]:
        with run_process(server.command, ports["mqtt"]) as process:
            yield process

    run.url = f"mqtt://127.0.0.1:{ports['mqtt']}"  # type: ignore[attr-defined]
    return run


def link(url: str, name: str, *filters: str) -> Link:
    made = Link(MqttSettings(url=url), LinkOptions(name, filters, persistent=bool(filters)), Event())
    made.open(60.0)
    return made


def publish_for_one_that_is_away(url: str) -> None:
    link(url, "ingester", "sensors/+/reading").close()
    device = link(url, "device")
    readings = [Outgoing("sensors/press/reading", b"%d" % number) for number in range(READINGS)]
    assert device.confirmed(device.publish(readings), 60.0)
    device.close()


def kept(url: str, eventually: Callable[..., None]) -> set[int]:
    ingester, got = link(url, "ingester", "sensors/+/reading"), []

    def silent() -> bool:
        batch = ingester.receive(100, 1.0)
        ingester.ack(batch)
        got.extend(int(message.payload) for message in batch)
        return not batch

    eventually(silent, "the queue to be empty")
    ingester.close()
    assert len(got) == len(set(got))
    return set(got)


def test_messages_queued_in_it_are_there_after_a_stop(start, eventually) -> None:
    with start() as broker:
        publish_for_one_that_is_away(start.url)
        broker.send_signal(signal.SIGTERM)
        broker.wait(60)
    with start():
        assert kept(start.url, eventually) == set(range(READINGS))


def test_its_death_costs_at_most_its_last_hundred_changes(start, eventually) -> None:
    """Messages that the broker acknowledged and lost when it died: its own loss, which is bounded and documented."""
    with start() as broker:
        publish_for_one_that_is_away(start.url)
        broker.kill()
        broker.wait(60)
    with start():
        lost = set(range(READINGS)) - kept(start.url, eventually)
    assert len(lost) <= 100
    assert lost == set(range(READINGS - len(lost), READINGS))  # the newest ones, never one in between
