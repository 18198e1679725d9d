"""A device chooses its response topic. It must not stop other devices, or reach topics of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from command.up.ports import HOST, choose
from tests.integration.test_loops import READING, Stack, stack
from tests.servers import found_or_skip, run_process
from zelador.quarantine import Quarantine

__all__ = ["stack"]  # a fixture

LONG = "\N{GRINNING FACE}"


class Asking:
    """A hostile device: paho with arbitrary MQTT 5 properties."""

    def __init__(self, stack: Stack, device: str) -> None:
        self._topic = stack.settings.topics.reading.format(device_id=device)
        host, _, port = stack.settings.mqtt.url.removeprefix("mqtt://").partition(":")
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"{device[:20]}-asking", protocol=mqtt.MQTTv5)
        self._client.connect(host, int(port))
        self._client.loop_start()

    def send(self, reading: object, response_topic: str, correlation: bytes | None = None) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = response_topic
        if correlation is not None:
            properties.CorrelationData = correlation
        self._client.publish(self._topic, json.dumps(reading), 1, properties=properties).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def evil(stack: Stack) -> Iterator[Asking]:
    asking = Asking(stack, "evil")
    yield asking
    asking.close()


def set_aside(stack: Stack) -> list[str]:
    return [kept.reason for kept in Quarantine(stack.client, stack.settings).page(100)]


def test_a_request_that_no_broker_accepts_stops_nobody(stack: Stack, evil: Asking) -> None:
    """One reading with 250 slashes as its response topic must not make the worker reconnect forever."""
    topics = ["/" * 250, f"{stack.settings.redis.prefix}/evil/" + "a/" * 250, LONG * 200, "x" * 60_000]
    for number, topic in enumerate(topics):
        evil.send({**READING, "id": f"e{number}"}, topic)
    stack.send("honest", *({**READING, "id": f"h{number}"} for number in range(50)))
    stack.ingest(54)
    stack.classify(54)
    assert len(stack.predictions(54)) == 54
    assert stack.worker._link.reconnects == 0
    assert stack.ledger.read().set_aside == 0


def test_a_message_that_makes_the_broker_disconnect_is_set_aside_with_the_real_reason(
    stack: Stack, evil: Asking
) -> None:
    """This covers topics that the rule does not know; in this test it knows none."""
    stack.ingester._decoder._objection = lambda device, topic: None
    stack.worker._composer._objection = lambda device, topic: None
    evil.send({**READING, "id": "evil"}, "/" * 250)
    stack.send("honest", *({**READING, "id": f"h{number}"} for number in range(50)))
    stack.ingest(51)
    stack.classify(51)
    answered = {prediction["reading_id"] for prediction in stack.predictions(51)}
    assert answered >= {f"h{number}" for number in range(50)}
    assert stack.worker._link.reconnects <= 12
    (reason,) = set_aside(stack)
    assert "the connection was lost" in reason
    assert "with only this message in flight" in reason
    ledger = stack.ledger.read()
    assert (ledger.classified, ledger.set_aside, ledger.waiting, ledger.unaccounted) == (50, 1, 0, 0)


def test_a_device_cannot_write_with_our_rights(stack: Stack, evil: Asking, mark: str) -> None:
    """Topics of a victim's predictions and readings, of a service's status, and of a machine on the same broker."""
    victims = [f"{mark}/victim/prediction", f"{mark}/victim/reading", f"{mark}/status/ingest/x", f"{mark}/evil/reading"]
    victims += ["factory/plc/7/set", f"{mark}/victim/answers", f"{mark}/press/answers"]
    for number, topic in enumerate(victims):
        evil.send({**READING, "id": f"e{number}"}, topic, b"x")
    stack.ingest(len(victims))
    stack.classify(len(victims))
    assert stack.ingester.step() == 0, "a prediction came in as a reading"
    assert [message.topic for message in stack.subscriber.receive(100, 0.3)] == [f"{mark}/evil/prediction"] * 7
    assert stack.ingester._decoder.unanswered == len(victims)


def test_correlation_data_of_any_size_harms_nobody(stack: Stack, evil: Asking, mark: str) -> None:
    evil.send({**READING, "id": "e"}, f"{mark}/evil/answers", b"\xff" * 64_000)
    stack.ingest(1)
    assert stack.client.memory_usage(f"{{{mark}}}:readings") < 20_000
    stack.classify(1)
    assert len(stack.predictions(1)) == 1


def limited(stack: Stack, limit: int) -> None:
    stack.worker._composer._packet_bytes = limit


def received(stack: Stack, readings: int) -> list[bytes]:
    got: list[bytes] = []
    for _ in range(50):
        batch = stack.subscriber.receive(1_000, 0.1)
        stack.subscriber.ack(batch)
        got += [message.payload for message in batch]
        if sum(len(json.loads(payload)) for payload in got) >= readings:
            break
    return got


def test_an_array_whose_answer_is_too_large_is_answered_in_parts(stack: Stack) -> None:
    limited(stack, 50_000)
    stack.send("gateway", [{**READING, "id": f"r{number}"} for number in range(1_000)])
    stack.ingest(1)
    stack.classify(1_000)
    parts = received(stack, 1_000)
    assert len(parts) > 5
    assert all(len(part) <= 50_000 for part in parts)
    assert [prediction["reading_id"] for part in parts for prediction in json.loads(part)] == [
        f"r{number}" for number in range(1_000)
    ]
    assert stack.ledger.read().classified == 1_000


def test_a_prediction_that_is_too_large_is_set_aside_and_its_neighbours_answered(stack: Stack) -> None:
    limited(stack, 850)
    stack.send("gateway", [{**READING, "id": "r1"}, {**READING, "id": "é" * 128}, {**READING, "id": LONG * 128}])
    stack.ingest(1)
    stack.classify(3)
    answered = [prediction["reading_id"] for part in received(stack, 2) for prediction in json.loads(part)]
    assert answered == ["r1", "é" * 128]
    (reason,) = set_aside(stack)
    assert "larger than the 850 bytes" in reason
    ledger = stack.ledger.read()
    assert (ledger.classified, ledger.set_aside, ledger.unaccounted) == (2, 1, 0)


def test_without_a_response_that_would_be_too_large_the_prediction_is_still_published(
    stack: Stack, evil: Asking, mark: str
) -> None:
    limited(stack, 1_024)
    evil.send({**READING, "id": "r"}, f"{mark}/evil/" + "a" * 600, b"x" * 300)
    stack.ingest(1)
    stack.classify(1)
    assert [prediction["reading_id"] for prediction in stack.predictions(1)] == ["r"]
    assert stack.ledger.read().classified == 1


def test_the_limit_that_the_broker_announces_is_respected(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Mosquitto resets the connection at a larger packet; it says so in its CONNACK."""
    port = choose(["mqtt"], {}, {})["mqtt"]
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} {HOST}\nallow_anonymous true\nmax_packet_size 20000\n")
    with run_process((found_or_skip("mosquitto"), "-c", str(config)), port):
        settings = request.getfixturevalue("settings")
        settings.mqtt.__dict__["url"] = f"mqtt://{HOST}:{port}"
        stack = request.getfixturevalue("stack")
        stack.send("gateway", [{**READING, "id": f"r{number}"} for number in range(150)])
        stack.ingest(1)
        stack.classify(150)
        parts = received(stack, 150)
        assert sum(len(json.loads(part)) for part in parts) == 150
        assert len(parts) > 1
        assert stack.worker._link.reconnects == 0
