"""The packet cutter agrees with paho's decoder on any packet, cut anywhere, and refuses invalid bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet as paho
from paho.mqtt.client import MQTTv5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from zelador.link.packets import (
    LARGEST,
    Malformed,
    cut,
    length_bytes,
    puback_packets,
    publish_packet,
    publish_properties,
)

# paho refuses U+FEFF, which MQTT allows (MQTT-1.5.4-3).
texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\ufeff"), min_size=1, max_size=40)
binaries = st.binary(min_size=1, max_size=200)


@st.composite
def properties(draw: st.DrawFn) -> Properties:
    """Any of the properties that a PUBLISH may carry, encoded by paho."""
    made = Properties(PacketTypes.PUBLISH)
    for name, values in {
        "PayloadFormatIndicator": st.integers(0, 1),
        "MessageExpiryInterval": st.integers(0, 2**32 - 1),
        "ContentType": texts,
        "ResponseTopic": texts,
        "CorrelationData": binaries,
        "SubscriptionIdentifier": st.integers(1, LARGEST),
        "TopicAlias": st.integers(1, 65_535),
        "UserProperty": st.tuples(texts, texts),
    }.items():
        if draw(st.booleans()):
            setattr(made, name, draw(values))
    return made


@st.composite
def publishes(draw: st.DrawFn) -> bytes:
    qos, dup, retain = draw(st.sampled_from([0, 1])), draw(st.booleans()), draw(st.booleans())
    topic = draw(st.one_of(texts.map(str.encode), st.binary(max_size=10)))
    body = struct.pack("!H", len(topic)) + topic
    if qos:
        body += struct.pack("!H", draw(st.integers(1, 65_535)))
    body += draw(properties()).pack() + draw(st.binary(max_size=300))
    return bytes([0x30 | dup << 3 | qos << 1 | retain]) + length_bytes(len(body)) + body


pubacks = st.builds(
    lambda number, tail: bytes([0x40, 2 + len(tail)]) + struct.pack("!H", number) + tail,
    st.integers(1, 65_535),
    st.sampled_from([b"", b"\x00", b"\x10\x00", b"\x87\x00", b"\x97"]),
)
others = st.sampled_from([b"\xd0\x00", b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x01", b"\xe0\x02\x8e\x00"])


def body_of(packet: bytes) -> bytes:
    """The bytes after the fixed header."""
    at = 1
    while packet[at] >= 0x80:
        at += 1
    return packet[at + 1 :]


def by_paho(packet: bytes) -> tuple[object, ...]:
    """What paho reads in a complete packet, in the cutter's form."""
    body = body_of(packet)
    if packet[0] & 0xF0 == 0x30:
        read = paho.decode_publish(packet[0], body, MQTTv5)
        try:
            topic = read.topic.decode()
        except UnicodeDecodeError:
            topic = ""
        response = getattr(read.properties, "ResponseTopic", None)
        correlation = getattr(read.properties, "CorrelationData", None)
        return topic, bytes(read.payload), read.mid, read.qos, read.retain, response, correlation
    if packet[0] == 0x40:
        return struct.unpack("!H", body[:2])[0], body[2] if len(body) > 2 and body[2] >= 0x80 else None
    return (packet,)


def by_us(pieces: list[bytes]) -> list[tuple[object, ...]]:
    """The same from the cutter, fed in pieces, as in the lane."""
    held, found = b"", []
    for piece in pieces:
        held += piece
        got = cut(held)
        found += [
            (p.topic, p.payload, p.packet_id, p.qos, p.retained, p.response_topic, p.correlation) for p in got.messages
        ]
        found += [(number, got.refused.get(number)) for number in got.confirmed]
        found += [(packet,) for packet in got.others]
        held = held[got.consumed :]
        assert got.needed == 0 or got.needed > len(held)
    assert held == b""
    return found


def name_of(packet: bytes) -> bytes:
    """Identifies a packet. A packet id is confirmed only once, so a second confirmation is dropped."""
    return packet[2:4] if packet[0] == 0x40 else packet


@given(st.lists(st.one_of(publishes(), pubacks, others), min_size=1, max_size=8, unique_by=name_of), st.data())
def test_any_stream_cut_anywhere_reads_as_paho_reads_it(packets: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert sorted(by_us(pieces), key=repr) == sorted(map(by_paho, packets), key=repr)


@given(st.lists(publishes(), min_size=1, max_size=8))
def test_the_order_is_kept(packets: list[bytes]) -> None:
    assert by_us([b"".join(packets)]) == [by_paho(packet) for packet in packets]


@given(st.lists(st.one_of(pubacks, others), max_size=40), st.binary(max_size=5))
def test_a_run_of_confirmations_is_read_as_one_by_one(packets: list[bytes], tail: bytes) -> None:
    try:
        found = cut(b"".join(packets) + b"\xd0\x00" + tail)
    except Malformed:
        return
    expected = [by_paho(packet)[0] for packet in packets if packet[0] == 0x40]
    assert found.confirmed[: len(expected)] == expected


def test_a_message_says_when_and_on_which_connection_it_came() -> None:
    plain, with_properties = publish_packet("a", b"x", 7), publish_packet("a", b"x", 8, False, b"\x04\x09\x00\x01c")
    found = cut(plain + with_properties, 1_795_514_400_000, 3)
    assert [(m.received_at, m.epoch, m.correlation) for m in found.messages] == [
        (1_795_514_400_000, 3, None),
        (1_795_514_400_000, 3, b"c"),
    ]


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_and_never_more_than_there_is(data: bytes) -> None:
    try:
        found = cut(data)
    except Malformed:
        return
    assert 0 <= found.consumed <= len(data)


@given(publishes(), st.data())
def test_a_damaged_packet_is_read_or_refused(packet: bytes, data: st.DataObject) -> None:
    """With wrong lengths, only bytes within the packet are read, and paho can read the packet too."""
    at = data.draw(st.integers(0, len(packet) - 1))
    damaged = packet[:at] + bytes([data.draw(st.integers(0, 255))]) + packet[at + 1 :]
    try:
        found = cut(damaged)
    except Malformed:
        return
    for publish in found.messages:
        assert publish.payload in damaged
        assert len(publish.payload) < len(damaged)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"\x30\x01\x00", "without a topic"),
        (b"\x30\x04\x00\x09ab", "reaches beyond"),
        (b"\x32\x05\x00\x01a\x00\x01", "reaches beyond"),
        (b"\x32\x06\x00\x01a\x00\x00\x00", "packet id 0"),
        (b"\x40\x01\x00", "without a packet id"),
        (b"\x30\xff\xff\xff\xff\x01", "more than four bytes"),
    ],
)
def test_a_packet_with_a_wrong_length_is_refused(packet: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        cut(packet)


@pytest.mark.parametrize(
    ("packet", "payload"),
    [
        (b"\x32\x07\x00\x01a\x00\x01\x7f\x01", b"\x7f\x01"),
        (b"\x32\x06\x00\x01a\x00\x01\xff", b"\xff"),
        (b"\x32\x09\x00\x01a\x00\x01\x02\x7e\x01x", b"x"),
        (b"\x32\x0b\x00\x01a\x00\x01\x04\x08\x00\xff\x61x", b"x"),
        (b"\x32\x09\x00\x01a\x00\x01\x02\x02\x01x", b"x"),
        (b"\x32\x0a\x00\x01a\x00\x01\xff\xff\xff\xff\x01", b"\xff\xff\xff\xff\x01"),
    ],
)
def test_properties_that_cannot_be_read_do_not_keep_a_message_out(packet: bytes, payload: bytes) -> None:
    """Otherwise the broker would send it again after each reconnect, and no other message would arrive."""
    (message,) = cut(packet).messages
    assert (message.topic, message.payload, message.packet_id) == ("a", payload, 1)
    assert (message.response_topic, message.correlation) == (None, None)


def test_an_incomplete_packet_states_its_missing_length() -> None:
    packet = publish_packet("a", b"x" * 100_000, 0x8001)
    found = cut(packet[:70_000])
    assert (found.consumed, found.needed, found.messages) == (0, len(packet), [])
    assert cut(packet[:3]).needed == 0  # the length itself is not whole yet
    assert len(cut(packet).messages) == 1


@given(
    topic=texts,
    payload=st.one_of(st.binary(max_size=300), st.integers(0, 20_000).map(bytes)),
    packet_id=st.integers(0x8001, 0xFFFF),
    retain=st.booleans(),
    content_type=st.none() | texts,
    correlation=st.none() | binaries,
)
def test_paho_reads_what_we_publish(
    topic: str, payload: bytes, packet_id: int, retain: bool, content_type: str | None, correlation: bytes | None
) -> None:
    packet = publish_packet(topic, payload, packet_id, retain, publish_properties(content_type, correlation))
    read = paho.decode_publish(packet[0], body_of(packet), MQTTv5)
    assert (read.topic.decode(), bytes(read.payload), read.mid, read.qos) == (topic, payload, packet_id, 1)
    assert (read.retain, read.dup) == (retain, False)
    assert cut(packet).consumed == len(packet)
    assert getattr(read.properties, "ContentType", None) == content_type
    assert getattr(read.properties, "CorrelationData", None) == correlation


def test_a_message_that_mqtt_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="65536 bytes is too large"):
        publish_packet("x" * 65_536, b"", 1)
    with pytest.raises(ValueError, match="too large for MQTT"):
        length_bytes(LARGEST + 1)
    assert length_bytes(LARGEST) == b"\xff\xff\xff\x7f"
    assert puback_packets([0xABCD, 1]) == b"\x40\x02\xab\xcd\x40\x02\x00\x01"
