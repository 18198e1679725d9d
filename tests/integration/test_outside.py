"""Tests of the outside client of the end-to-end tests: a reading that it reports as lost must really be lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from tests.outside import Outside
from tests.scripted_broker import ScriptedBroker

PUBLISH = 0x30
SUCCESS, QUOTA_EXCEEDED = 0x00, 0x97  # of a PUBACK


def test_it_is_subscribed_before_it_sends(
    monkeypatch: pytest.MonkeyPatch, mqtt_url: str, mark: str, eventually: Callable[..., None]
) -> None:
    """On a busy machine its thread may send the SUBSCRIBE long after it connected. Then the prediction of the first
    reading arrived earlier, and the reading seemed to be lost.
    """
    subscribe = mqtt.Client.subscribe

    def late(*arguments: Any, **named: Any) -> Any:
        time.sleep(0.3)  # the thread gets no processor time
        return subscribe(*arguments, **named)

    monkeypatch.setattr(mqtt.Client, "subscribe", late)
    outside = Outside(mqtt_url, root=mark)
    try:
        outside._devices.publish(f"{mark}/press/prediction", b'{"reading_id": "first"}', 1).wait_for_publish(10)
        eventually(lambda: outside.counts()["first"] == 1, "what was published right after its start")
    finally:
        outside.close()


def test_a_refused_reading_is_not_acknowledged() -> None:
    def answer(packet: bytes) -> bytes:
        if packet[0] & 0xF0 != PUBLISH:
            return b""
        end_of_topic = 4 + int.from_bytes(packet[2:4], "big")
        reason = QUOTA_EXCEEDED if b"too many" in packet else SUCCESS
        return b"\x40\x04" + packet[end_of_topic : end_of_topic + 2] + bytes((reason, 0))

    with ScriptedBroker((b"", answer)) as broker:
        outside = Outside(broker.url)
        outside.send("press", b"one", "one")
        outside.send("press", b"too many", "two")
        outside.settled()
        assert outside.readings == {"one"}
        outside.close()
