"""The gate counts what nobody reads, while everything passes to the broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Event
from urllib.parse import urlsplit

import pytest

from command.up.gate import Gate
from command.up.ports import HOST, choose
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import Settings
from zelador.unread import UnreadTopics

TASMOTA = json.dumps({"SI7021": {"Temperature": 21.3}, "BH1750": {"Illuminance": 412}}).encode()


@pytest.mark.parametrize("fragile", [False, True])
def test_the_gate_counts_messages_that_no_profile_reads(
    settings: Settings, mark: str, fragile: bool, eventually: Callable[..., None]
) -> None:
    given = settings.model_copy(update={"features": ("lux", "temperature")})
    topics, broker = UnreadTopics(given), urlsplit(settings.mqtt.url).port or 1883
    port = choose(["mqtt"], {}, {})["mqtt"]
    gate = Gate(port, broker, broker, fragile=fragile, unread=topics)
    gate.open()
    gate.admit(True)
    device = Link(settings.mqtt.model_copy(update={"url": f"mqtt://{HOST}:{port}"}), LinkOptions(f"{mark}-d"), Event())
    try:
        device.open(60.0)
        messages = [Outgoing(f"tele/{mark}/SENSOR", TASMOTA), Outgoing(f"{mark}/esp01/reading", TASMOTA)]
        assert device.confirmed(device.publish(messages), 60.0)
        eventually(lambda: len(topics.found()) == 1, "the topic")
        (told,) = topics.found()
        assert (told.topic, told.count, told.device) == (f"tele/{mark}/SENSOR", 1, mark)
        assert "the preset tasmota would" in told.advice
    finally:
        device.close()
        gate.close()
