"""The benchmark's own packets, compared with paho, because they share no code with the product."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.mqtt_bytes import connect, publish, subscribe
from benchmarks.subscriber import cut

CONNACK = b"\x20\x02\x00\x00"


class Paho(mqtt.Client):
    """A paho client whose connection ends in the test."""

    def __init__(self) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2, client_id="bench", protocol=mqtt.MQTTv311, clean_session=True, manual_ack=True
        )
        self.broker, self._ours = socket.socketpair()
        self.broker.settimeout(5.0)
        self.came: list[mqtt.MQTTMessage] = []
        self.on_message = lambda _client, _data, message: self.came.append(message)

    def _create_socket(self) -> Any:
        return self._ours


@pytest.fixture
def paho() -> Iterator[Paho]:
    client = Paho()
    client.connect("127.0.0.1", 1883, keepalive=0)
    yield client
    client.broker.close()
    client._ours.close()


def test_connect_and_subscribe_are_what_paho_sends(paho: Paho) -> None:
    assert paho.broker.recv(1024) == connect("bench")
    paho.broker.sendall(CONNACK)
    paho.loop_read()
    paho.subscribe("sensors/+/prediction", 1)
    assert paho.broker.recv(1024) == subscribe("sensors/+/prediction")


@pytest.mark.parametrize("size", [0, 100, 127, 128, 16_383, 20_000])
def test_paho_reads_our_publish(paho: Paho, size: int) -> None:
    paho.broker.sendall(CONNACK + publish("sensors/press-01/reading", b"x" * size, 65_535))
    while not paho.came:
        assert paho.loop_read() == mqtt.MQTT_ERR_SUCCESS
    (message,) = paho.came
    assert (message.topic, len(message.payload), message.qos, message.mid) == (
        "sensors/press-01/reading",
        size,
        1,
        65_535,
    )


@settings(deadline=None)  # a busy machine is no fault of the code
@given(
    sizes=some.lists(some.one_of(some.integers(0, 400), some.integers(16_300, 17_000)), max_size=12),
    cuts=some.lists(some.integers(0, 200_000), max_size=30),
)
def test_wherever_the_stream_is_cut_each_message_is_found_once(sizes: list[int], cuts: list[int]) -> None:
    sent = [
        publish("sensors/press-01/prediction", b'{"reading_id":"%08d"}' % number + b" " * size, number + 1)
        for number, size in enumerate(sizes)
    ]
    stream = b"".join(sent)
    edges = sorted({0, len(stream), *(at % (len(stream) + 1) for at in cuts)})
    numbers, ids, rest = [], [], b""
    for first, last in pairwise(edges):
        found, acknowledged, rest = cut(rest + stream[first:last], b'"reading_id":"')
        numbers += found
        ids += acknowledged
    assert rest == b""
    assert numbers == list(range(len(sizes)))
    assert ids == [(number + 1).to_bytes(2, "big") for number in numbers]


def test_a_stream_of_single_bytes_is_parsed_too() -> None:
    stream = b"".join(publish("t", b'{"reading_id":"%08d"}' % number + b" " * 200, number + 1) for number in range(3))
    numbers, rest = [], b""
    for at in range(len(stream)):
        found, _, rest = cut(rest + stream[at : at + 1], b'"reading_id":"')
        numbers += found
    assert numbers == [0, 1, 2]


def test_an_answer_at_another_qos_or_without_an_id_is_no_answer() -> None:
    at_qos_0 = b"\x30" + publish("t", b'{"reading_id":"00000001"}', 7)[1:]
    assert cut(at_qos_0, b'"reading_id":"')[0] == [-1]
    assert cut(publish("t", b"{}", 7), b'"reading_id":"')[0] == [-1]
    assert cut(publish("t", b'{"reading_id":"abc"}', 7), b'"reading_id":"')[0] == [-1]
