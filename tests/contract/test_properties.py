"""Every MQTT 5 property that the link uses, checked with an independent client: plain paho."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.contract.conftest import Make
from tests.contract.test_link import collect
from tests.scripted_broker import ScriptedBroker
from zelador.link import Outgoing


@pytest.fixture
def outsider(broker_url: str, mark: str) -> Iterator[mqtt.Client]:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"outsider-{mark}", protocol=mqtt.MQTTv5)
    where = urlsplit(broker_url)
    client.connect(where.hostname or "", where.port or 1883)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def test_a_request_carries_its_response_topic_and_correlation(make: Make, outsider: mqtt.Client, mark: str) -> None:
    receiver = make(f"r-{mark}", f"{mark}/+")
    asked = Properties(PacketTypes.PUBLISH)
    asked.PayloadFormatIndicator = 1
    asked.MessageExpiryInterval = 60
    asked.ContentType = "application/json"
    asked.ResponseTopic = f"{mark}/Antwort/für/mich"
    asked.CorrelationData = bytes(range(256))
    asked.UserProperty = ("plant", "São Paulo")
    outsider.publish(f"{mark}/a", b"{}", 1, properties=asked).wait_for_publish(5)
    outsider.publish(f"{mark}/a", b"{}", 1).wait_for_publish(5)
    first, second = collect(receiver, 2)
    assert (first.payload, first.response_topic, first.correlation) == (
        b"{}",
        f"{mark}/Antwort/für/mich",
        bytes(range(256)),
    )
    assert (second.payload, second.response_topic, second.correlation) == (b"{}", None, None)


def test_an_answer_carries_content_type_and_correlation(make: Make, outsider: mqtt.Client, mark: str) -> None:
    got: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
    subscribed: queue.Queue[object] = queue.Queue()
    outsider.on_message = lambda _client, _data, message: got.put(message)
    outsider.on_subscribe = lambda *arguments: subscribed.put(arguments)
    outsider.subscribe(f"{mark}/answers", 1)
    subscribed.get(timeout=60)
    sender = make(f"s-{mark}")
    answer = Outgoing(f"{mark}/answers", b"{}", content_type="application/json", correlation=b"\x00\xff")
    assert sender.confirmed(sender.publish([answer, Outgoing(f"{mark}/answers", b"plain")]), 60.0)
    first, second = got.get(timeout=60), got.get(timeout=60)
    assert first.properties.ContentType == "application/json"
    assert first.properties.CorrelationData == b"\x00\xff"
    assert (first.qos, first.retain) == (1, False)
    assert second.payload == b"plain"
    assert not hasattr(second.properties, "ContentType")


def test_quality_of_service_0_needs_no_acknowledgement(make_to: Make, eventually) -> None:
    zero = b"\x30\x08\x00\x01a\x00zero"
    one = b"\x32\x09\x00\x01a\x00\x07\x00one"
    with ScriptedBroker((zero + one + zero, lambda packet: b"")) as broker:
        receiver = make_to(broker.url, "one", "a")
        got = collect(receiver, 3)
        assert [(m.payload, m.qos, m.packet_id) for m in got] == [(b"zero", 0, 0), (b"one", 1, 7), (b"zero", 0, 0)]
        receiver.ack(got)
        receiver.close()
        eventually(lambda: broker.got[0][-1][0] == 0xE0, "the goodbye")
        acknowledged = [packet[:4] for packet in broker.got[0] if packet[0] & 0xF0 == 0x40]
        assert acknowledged == [b"\x40\x02\x00\x07"]


def test_a_retained_message_is_marked(make: Make, outsider: mqtt.Client, mark: str) -> None:
    outsider.publish(f"{mark}/state", b"kept", 1, retain=True).wait_for_publish(5)
    (message,) = collect(make(f"r-{mark}", f"{mark}/+"), 1)
    assert (message.payload, message.retained) == (b"kept", True)
    outsider.publish(f"{mark}/state", b"", 1, retain=True).wait_for_publish(5)


def test_the_connect_packet_asks_for_a_session_and_a_window(make_to: Make) -> None:
    with ScriptedBroker((b"", None)) as broker:
        options = {"session_expiry_s": 3_600, "receive_maximum": 77, "username": "u", "password": "p"}
        make_to(broker.url, "one", "a", persistent=True, mqtt=options)
        ((connect, *_),) = broker.got
    assert connect[connect.index(b"MQTT") + 4] == 5
    assert connect[connect.index(b"MQTT") + 5] & 0x02 == 0  # clean start is off
    properties = Properties(PacketTypes.CONNECT)
    properties.unpack(connect[connect.index(b"MQTT") + 8 :])
    assert (properties.SessionExpiryInterval, properties.ReceiveMaximum) == (3_600, 77)
    assert not hasattr(properties, "MaximumPacketSize")  # a broker silently drops a larger one


def test_the_brokers_window_is_respected(make_to: Make) -> None:
    """Unconfirmed publications never exceed the CONNACK's Receive Maximum (paho does not ensure this)."""
    window = b"\x20\x06\x00\x00\x03\x21\x00\x05"
    with ScriptedBroker((b"", lambda packet: b""), connack=window, subscribes=False) as broker:
        sender = make_to(broker.url, "one")
        publication = sender.publish([Outgoing("a", b"%d" % number) for number in range(50)])
        assert not sender.confirmed(publication, 0.5)
        assert 0 < len([packet for packet in broker.got[0] if packet[0] & 0xF0 == 0x30]) <= 5


def test_the_reason_in_a_puback_is_reported(make_to: Make) -> None:
    """The publisher learns that the broker refused a message. "No matching subscribers" is not a refusal."""
    codes = iter([b"\x00", b"\x10", b"\x87", b"\x99", b"\x97"])

    def answer(packet: bytes) -> bytes:
        if packet[0] & 0xF0 != 0x30:
            return b""
        at = 4 + int.from_bytes(packet[2:4], "big")
        return b"\x40\x04" + packet[at : at + 2] + next(codes) + b"\x00"

    with ScriptedBroker((b"", answer), subscribes=False) as broker:
        sender = make_to(broker.url, "one")
        publication = sender.publish([Outgoing("a", b"%d" % number) for number in range(5)])
        assert sender.confirmed(publication, 60.0)
    assert publication.refused == {2: "Not authorized", 3: "Payload format invalid", 4: "Quota exceeded"}
