"""The packets that the gate reads: CONNECT, cut anywhere, and on rumqttd the header of every packet."""

from __future__ import annotations

import errno
import io
import itertools
import socket

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from command.up.client_ids import ReservedIds
from command.up.connect_packet import MAX_CONNECT_BYTES, read_connect
from command.up.device_stream import MAX_FILTER_PACKET, DeviceStream, Refused
from command.up.gate import Gate
from command.up.held_stream import HeldStream
from command.up.ports import HOST, bound, choose
from zelador.errors import Unavailable
from zelador.settings import Settings

NO_SURROGATES = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(NO_SURROGATES, max_size=300)
topics = st.builds(
    lambda first, rest: first + rest,
    st.sampled_from("abz/$09 "),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), max_size=200),
)


class Captured(paho.Client):
    """A paho client without a socket, which captures what it would send."""

    def __init__(self, client_id: str, level: int) -> None:
        protocol = {3: paho.MQTTv31, 4: paho.MQTTv311, 5: paho.MQTTv5}[level]
        super().__init__(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol)
        self.bytes = b""

    def _packet_queue(self, command, packet, mid, qos, info=None):
        self.bytes += bytes(packet)
        return paho.MQTT_ERR_SUCCESS


@st.composite
def connects(draw: st.DrawFn) -> tuple[bytes, int, str, bytes | None]:
    level, client_id = draw(st.sampled_from([3, 4, 5])), draw(texts.filter(bool))
    client = Captured(client_id, level)
    will = draw(st.none() | topics)
    if will is not None:
        properties = None
        if level == 5 and draw(st.booleans()):
            properties = Properties(PacketTypes.WILLMESSAGE)
            properties.UserProperty = ("k", "v" * draw(st.integers(0, 300)))
        client.will_set(will, draw(st.binary(max_size=300)), 1, False, properties)
    if draw(st.booleans()):
        client.username_pw_set(draw(texts), draw(texts))
    if level == 5:
        client._connect_properties = Properties(PacketTypes.CONNECT)
        client._connect_properties.UserProperty = ("k", "v" * draw(st.integers(0, 300)))
    client._send_connect(60)
    return client.bytes, level, client_id, None if will is None else will.encode()


@given(connects(), st.binary(max_size=10))
def test_a_connect_is_read_as_soon_as_it_is_whole_and_not_before(
    given_connect: tuple[bytes, int, str, bytes | None], after: bytes
) -> None:
    packet, level, client_id, will_topic = given_connect
    for cut in (*range(1, min(len(packet), 12)), len(packet) // 2, len(packet) - 1):
        assert read_connect(packet[:cut]) is None
    found = read_connect(packet + after)
    assert found is not None
    assert (found.level, found.client_id, found.will_topic) == (level, client_id, will_topic)
    assert found.size == len(packet)


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1",
        b"\x30\x00",
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\x20\x00\x40HELLO",
        b"\x10" + bytes((0x80, 0x80, 0x80, 0x01)),  # two megabytes
        b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x7f\x00\x03abc",  # properties that lie
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\xff",  # a client id with a wrong length
        b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\xff",  # a client id that is not UTF-8
    ],
)
def test_a_packet_that_is_not_connect_is_refused(start: bytes) -> None:
    with pytest.raises(ValueError, match=r"MQTT|CONNECT|length|beyond|utf-8"):
        read_connect(start)


@given(st.binary(max_size=60))
def test_any_bytes_give_an_answer(start: bytes) -> None:
    try:
        found = read_connect(start)
    except ValueError:
        return
    assert found is None or found.size <= len(start) <= MAX_CONNECT_BYTES


def test_a_bridge_is_read_like_any_client() -> None:
    """Mosquitto takes a client whose protocol level has the highest bit for a bridge."""
    found = read_connect(b"\x10\x0d\x00\x04MQTT\x84\x02\x00\x3c\x00\x01a")
    assert found is not None
    assert (found.level, found.client_id) == (4, "a")


@pytest.mark.parametrize(
    ("client_id", "reserved"),
    [
        ("zelador-ingest", True),
        ("zelador-ingest-2", True),
        ("zelador-inference-1", True),
        ("zelador-inference-2", True),
        ("zelador-trainer-1", True),
        ("factory", True),
        ("factory-b", True),
        ("zelador-line7", True),
        ("factory2", False),
        ("Zelador-Ingest", False),  # ids are compared by their bytes
        ("zelador-watch-1a2b", False),
        ("zelador-simulate-x", False),
        ("zelador-doctor-door-7", False),
        ("press-07", False),
        ("", False),
    ],
)
def test_the_ids_of_services_are_reserved_as_configured(client_id: str, reserved: bool) -> None:
    settings = Settings(ingest={"client_id": "factory"}, inference={"instance": "line7"})
    assert (client_id in ReservedIds(settings)) is reserved


# ── on rumqttd, every packet's head ──────────────────────────────────────────────────────────


@st.composite
def packets(draw: st.DrawFn, level: int = 5) -> bytes:
    client = Captured("x", level)
    kind = draw(st.sampled_from(["publish", "publish", "subscribe", "unsubscribe", "ack", "ping"]))
    mid = draw(st.integers(1, 65_535))
    if kind == "publish":
        properties = None
        if level == 5 and draw(st.booleans()):
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = draw(st.binary(max_size=200))
        client._state = paho._ConnectionState.MQTT_CS_CONNECTED
        payload = draw(st.binary(max_size=600))
        client._sock = io.BytesIO()  # anything that can be closed
        client._send_publish(mid, draw(topics).encode(), payload, draw(st.integers(0, 2)), properties=properties)
    elif kind == "subscribe":
        qos = [SubscribeOptions(1) if level == 5 else 1 for _ in range(3)]
        found = [
            (topic.encode(), option) for topic, option in zip(draw(st.lists(topics, min_size=1)), qos, strict=False)
        ]
        client._send_subscribe(False, found)
    elif kind == "unsubscribe":
        client._send_unsubscribe(False, [topic.encode() for topic in draw(st.lists(topics, min_size=1, max_size=3))])
    elif kind == "ack":
        client._send_command_with_mid(draw(st.sampled_from([0x40, 0x50, 0x60, 0x70])), mid, False)
    else:
        client._send_simple_command(0xC0)
    return client.bytes


@given(st.sampled_from([4, 5]), st.data())
def test_an_honest_devices_bytes_pass_unchanged_however_they_are_cut(level: int, data: st.DataObject) -> None:
    stream = b"".join(data.draw(st.lists(packets(level), min_size=1, max_size=6)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    gate, passed = DeviceStream(level), b""
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        passed += gate.feed(stream[begin:end])
        assert stream.startswith(passed)
    assert passed == stream


@given(st.data())
def test_only_acknowledgements_of_a_held_device_pass_however_they_are_cut(data: st.DataObject) -> None:
    sent = data.draw(st.lists(packets(), max_size=8))
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    gate, held, passed = DeviceStream(5), HeldStream(), b""
    held_at = data.draw(st.integers(0, len(sent)))
    before = len(b"".join(sent[:held_at]))
    assert gate.feed(stream[:before]) == stream[:before] and gate.is_between_packets
    for begin, end in itertools.pairwise([before, *(cut for cut in cuts if cut > before), len(stream)]):
        passed += held.feed(gate.feed(stream[begin:end]))
    assert passed == b"".join(each for each in sent[held_at:] if each[0] >> 4 in (4, 5, 7, 12))


@given(packets(), st.data())
def test_a_stream_knows_whether_it_is_between_packets(sent: bytes, data: st.DataObject) -> None:
    gate, cut = DeviceStream(5), data.draw(st.integers(1, len(sent) - 1))
    gate.feed(sent[:cut])
    assert not gate.is_between_packets
    gate.feed(sent[cut:])
    assert gate.is_between_packets


def text(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes) -> bytes:
    length, out = len(body), b""
    while True:
        length, low = length >> 7, length & 0x7F
        out += bytes([low | 0x80 if length else low])
        if not length:
            return bytes([first]) + out + body


EMOJI = "\N{GRINNING FACE}".encode()
KILLERS = {
    "a topic of several bytes": packet(0x32, text(EMOJI) + b"\x00\x01\x00x"),
    "at QoS 0": packet(0x30, text("é/x".encode()) + b"\x00x"),
    "at QoS 2, retained": packet(0x35, text(EMOJI * 100) + b"\x00\x01\x00x"),
    "bytes that are no UTF-8": packet(0x32, text(b"\xff") + b"\x00\x01\x00x"),
    "with a topic alias": packet(0x32, text(EMOJI) + b"\x00\x01\x03\x23\x00\x05x"),
    "a filter": packet(0x82, b"\x00\x02\x00" + text(EMOJI) + b"\x01"),
    "a second filter": packet(0x82, b"\x00\x02\x00" + text(b"a") + b"\x01" + text(EMOJI) + b"\x01"),
    "a filter that ends": packet(0xA2, b"\x00\x02\x00" + text(EMOJI)),
    "a shared filter": packet(0x82, b"\x00\x02\x00" + text(b"$share/g/" + EMOJI) + b"\x01"),
    "a shared filter without one": packet(0x82, b"\x00\x02\x00" + text(b"$share/g/") + b"\x01"),
    "a shared filter without a group": packet(0x82, b"\x00\x02\x00" + text(b"$share//a") + b"\x01"),
    "no filter": packet(0x82, b"\x00\x02\x00"),
    "a filter that lies": packet(0x82, b"\x00\x02\x00\x00\xffa\x01"),
    "QoS 3": packet(0x36, text(b"a") + b"\x00\x01\x00x"),
    "a topic that lies": packet(0x32, b"\xff\xffabc"),
    "a PUBLISH without anything": packet(0x30, b""),
    "a second CONNECT": packet(0x10, text(b"MQTT") + b"\x05\x02\x00\x3c\x00" + text(b"x")),
    "a SUBACK": packet(0x90, b"\x00\x01\x00\x00"),
    "a PINGRESP": packet(0xD0, b""),
    "a CONNACK": packet(0x20, b"\x00\x00\x00"),
    "the kind 0": b"\x00\x00",
    "a length of five bytes": b"\x30\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("killer", KILLERS.values(), ids=KILLERS.keys())
@pytest.mark.parametrize("piece", [1, 7, 1_000])
def test_packets_that_end_the_brokers_router_never_reach_it(killer: bytes, piece: int) -> None:
    good = packet(0x32, text(b"a/b") + b"\x00\x01\x00" + b"x" * 50)
    gate, passed = DeviceStream(5), b""
    stream = good * 3 + killer
    with pytest.raises(Refused):
        for at in range(0, len(stream), piece):
            passed += gate.feed(stream[at : at + piece])
    assert (good * 3).startswith(passed)


def test_buffered_bytes_are_bounded() -> None:
    """Tests a SUBSCRIBE that is never complete, one that is too large, and a payload, which is not buffered."""
    gate = DeviceStream(5)
    with pytest.raises(Refused):
        gate.feed(b"\x82\xff\xff\xff\x7f" + b"x" * 100)
    gate = DeviceStream(5)
    for _ in range(100):
        gate.feed(b"\x82\x80\x80\x10" if not gate._held else b"x" * 100)
    assert len(gate._held) <= MAX_FILTER_PACKET + 1_000
    gate = DeviceStream(5)
    head = b"\x32\xff\xff\xff\x7f" + text(b"a") + b"\x00\x01\x00"
    assert gate.feed(head) == head
    for _ in range(10):
        assert len(gate.feed(b"x" * 100_000)) == 100_000
    assert not gate._held


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_pass_or_are_refused_and_none_are_added(data: bytes, piece: int) -> None:
    gate, passed = DeviceStream(5), b""
    try:
        for at in range(0, len(data), piece):
            passed += gate.feed(data[at : at + piece])
    except Refused:
        pass
    assert data.startswith(passed)


# ── ports ────────────────────────────────────────────────────────────────────────────────────────


def test_the_devices_port_is_held_before_it_listens(eventually) -> None:
    """The port is bound first, so that no other program can take it during the start."""
    port = choose(["mqtt"], {}, {})["mqtt"]
    gate = Gate(port, 1, 1)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind((HOST, port))
    with socket.socket() as device:
        assert device.connect_ex((HOST, port)) == errno.ECONNREFUSED
    gate.open()
    with socket.create_connection((HOST, port), timeout=5.0):
        eventually(lambda: gate.devices, "the connection")
        gate.close()  # ends the connection from this side: the port has a TIME_WAIT from now on
    Gate(port, 1, 1).close()
    bound(port).close()


@pytest.mark.parametrize("host", [HOST, "0.0.0.0", "::"])  # noqa: S104 - every address includes the loopback
def test_a_requested_port_that_is_taken_is_named(host: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as other:
        other.bind((host, 0))
        other.listen()
        port = other.getsockname()[1]
        for name in ("mqtt", "redis", "api"):
            with pytest.raises(Unavailable, match=rf"port {port} \({name}\) is in use; .*--{name}-port"):
                choose(["mqtt", "redis", "api"], {name: port}, {})
        with pytest.raises(Unavailable, match="choose another with ZELADOR_API__PORT, or omit it"):
            choose(["api"], {"api": port}, {}, {"api": "ZELADOR_API__PORT"})
        assert choose(["api"], {}, {"api": port})["api"] != port


def test_a_requested_port_takes_precedence_over_an_earlier_one() -> None:
    first, second = choose(["mqtt", "redis"], {}, {}).values()
    chosen = choose(["mqtt", "redis"], {"redis": first}, {"mqtt": first, "redis": second})
    assert chosen["redis"] == first != chosen["mqtt"]
    with pytest.raises(Unavailable, match=r"\(api\) is in use"):
        choose(["mqtt", "api"], {"mqtt": first, "api": first}, {})
