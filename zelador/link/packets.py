"""Encodes and decodes the two MQTT 5 packets on the hot path: PUBLISH (QoS 0 and 1) and PUBACK.

Pure: no socket, no clock. See MQTT Version 5.0 (OASIS, 2019), sections 2.1.4, 2.2.2, 3.3 and 3.4. All other
packets are passed on unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, repeat
from struct import pack, unpack

import msgspec

from zelador.link.message import Message, Outgoing

FAILURE = 0x80  # reason codes from here on are failures
LARGEST = 268_435_455  # bytes after the fixed header: the maximum of a four-byte length


class Malformed(ValueError):
    """The bytes are not MQTT; the connection cannot be read any further."""


class Cut(msgspec.Struct, gc=False):
    """The packets found in a chunk of the stream."""

    messages: list[Message]
    confirmed: list[int]  # the packet id of each PUBACK
    refused: dict[int, int]  # of those, the reason codes that are failures
    others: list[bytes]  # complete packets of other types
    consumed: int  # bytes of the chunk that are complete packets
    needed: int  # total bytes of the next packet; 0 if its length is not known yet


def cut(data: bytes, received_at: int = 0, epoch: int = 0) -> Cut:
    """Splits `data`, which starts with a packet, into packets; the last may be incomplete. Raises Malformed.

    Each message gets `received_at` (ms since 1970 UTC) and `epoch`.
    """
    messages: list[Message] = []
    others: list[bytes] = []
    refused: dict[int, int] = {}
    confirmed = _plain_confirmations(data)
    at, end, needed = 4 * len(confirmed), len(data), 0
    while end - at >= 2:
        first, length, body = data[at], data[at + 1], at + 2
        if (
            length > 0x7F and body < end and data[body] < 0x80
        ):  # a length of two bytes: most PUBLISH packets, so inlined
            length, body = length & 0x7F | data[body] << 7, body + 1
        elif length > 0x7F:
            try:
                length, body = _varint(data, at + 1, min(end, at + 5))
            except IndexError:
                break  # the length is incomplete
        stop = body + length
        if stop > end:
            needed = stop - at
            break
        if first & 0xF4 == 0x30:  # PUBLISH at QoS 0 or 1
            if first == 0x32 and length > 4:  # QoS 1, new, not retained, no properties: nearly all, so inlined
                named = body + 2 + (data[body] << 8 | data[body + 1])
                if named + 2 < stop and not data[named + 2] and (packet_id := data[named] << 8 | data[named + 1]):
                    topic, payload = _topic(data[body + 2 : named]), data[named + 3 : stop]
                    messages.append(Message(topic, payload, received_at, epoch, packet_id, 1))
                    at = stop
                    continue
            messages.append(_publish(data, first, body, stop, received_at, epoch))
        elif first == 0x40:
            if length < 2:
                raise Malformed("a PUBACK without a packet id")
            confirmed.append(data[body] << 8 | data[body + 1])
            if length > 2 and data[body + 2] >= FAILURE:
                refused[confirmed[-1]] = data[body + 2]
        else:
            others.append(data[at:stop])
        at = stop
    return Cut(messages, confirmed, refused, others, at, needed)


def publish_packet(
    topic: str, payload: bytes, packet_id: int, retain: bool = False, properties: bytes = b"\x00"
) -> bytes:
    """A PUBLISH at QoS 1; `properties` start with their length. Raises ValueError if it is too large."""
    named = _text(topic)
    length = len(named) + 2 + len(properties) + len(payload)
    head = (b"\x33" if retain else b"\x32") + length_bytes(length)
    return b"".join((head, named, packet_id.to_bytes(2, "big"), properties, payload))


def publish_bytes(outgoing: Outgoing) -> int:
    """An upper bound of the size of its PUBLISH, at most a few bytes too high."""
    named = len(outgoing.topic.encode(errors="replace")) + len(outgoing.correlation or b"")
    return 32 + named + len(outgoing.content_type or "") + len(outgoing.payload)


def puback_packets(packet_ids: Sequence[int]) -> bytes:
    """A successful PUBACK for each id, concatenated."""
    return pack(f">{2 * len(packet_ids)}H", *chain.from_iterable(zip(repeat(0x4002), packet_ids, strict=False)))


def publish_properties(content_type: str | None, correlation: bytes | None) -> bytes:
    """Content type (3.3.2.3.9) and correlation data (3.3.2.3.6), preceded by their length."""
    found = b""
    if content_type:
        found += b"\x03" + _text(content_type)
    if correlation:
        found += b"\x09" + len(correlation).to_bytes(2, "big") + correlation
    return length_bytes(len(found)) + found


@lru_cache(maxsize=8192)
def length_bytes(length: int) -> bytes:
    """A variable byte integer (1.5.5). Raises ValueError above LARGEST."""
    if length > LARGEST:
        raise ValueError(f"a message of {length} bytes is too large for MQTT")
    out = bytearray()
    while True:
        length, low = length >> 7, length & 0x7F
        out.append(low | 0x80 if length else low)
        if not length:
            return bytes(out)


# ── inside ───────────────────────────────────────────────────────────────────────────────────


def _plain_confirmations(data: bytes) -> list[int]:
    """The packet ids of the plain PUBACKs at the start of `data`: most of what a worker receives."""
    whole = len(data) & ~3
    kinds, lengths = data[:whole:4], data[1:whole:4]
    count = min(len(kinds) - len(kinds.lstrip(b"\x40")), len(lengths) - len(lengths.lstrip(b"\x02")))
    return list(unpack(f">{2 * count}H", data[: 4 * count])[1::2])


def _publish(data: bytes, first: int, body: int, stop: int, received_at: int, epoch: int) -> Message:
    """The PUBLISH whose variable header starts at `body`; checks every length in it against `stop`.

    Accepts a packet that can be acknowledged, whatever its properties: otherwise a broker would resend it forever.
    Invalid properties are dropped; if their length is invalid, everything that follows is the payload.
    """
    qos = first >> 1 & 1
    if body + 2 > stop:
        raise Malformed("a PUBLISH without a topic")
    at = body + 2 + (data[body] << 8 | data[body + 1])
    after = at + 2 * qos
    if after >= stop:  # at least the properties' length must follow
        raise Malformed("a PUBLISH whose topic reaches beyond its end")
    topic = _topic(data[body + 2 : at])
    packet_id = data[at] << 8 | data[at + 1] if qos else 0
    if qos and not packet_id:
        raise Malformed("a PUBLISH at QoS 1 with the packet id 0")
    properties: tuple[str | None, bytes | None] = (None, None)
    size, start = 0, after
    try:
        length, begun = _varint(data, after, stop)
        if begun + length <= stop:
            size, start = length, begun
            properties = _properties(data[start : start + size])
    except (IndexError, Malformed):
        pass
    retained, again = first & 1 == 1, first & 8 == 8
    return Message(topic, data[start + size : stop], received_at, epoch, packet_id, qos, retained, again, *properties)


def _properties(data: bytes) -> tuple[str | None, bytes | None]:
    """Response topic and correlation data; skips the other properties of a PUBLISH (3.3.2.3)."""
    response_topic: str | None = None
    correlation: bytes | None = None
    at, end = 0, len(data)
    while at < end:
        kind, at = data[at], at + 1
        if kind in _FIXED:
            at += _FIXED[kind]
        elif kind == 0x0B:  # subscription identifier
            try:
                _, at = _varint(data, at, end)
            except IndexError:
                raise Malformed("a property that ends too early") from None
        elif kind in _PREFIXED:
            for _ in range(_PREFIXED[kind]):
                start = at + 2
                at = start + int.from_bytes(data[at:start], "big")
                if start > end or at > end:
                    raise Malformed("a property that reaches beyond the packet")
            if kind == 0x08:
                response_topic = _topic(data[start:at]) or None
            elif kind == 0x09:
                correlation = data[start:at]
        else:
            raise Malformed(f"a PUBLISH with the unknown property {kind:#04x}")
        if at > end:
            raise Malformed("a property that reaches beyond the packet")
    return response_topic, correlation


# Payload format, expiry, topic alias: fixed sizes. Content type, response topic, correlation, user property: texts.
_FIXED = {0x01: 1, 0x02: 4, 0x23: 2}
_PREFIXED = {0x03: 1, 0x08: 1, 0x09: 1, 0x26: 2}


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable byte integer and its end. Raises IndexError if it extends beyond `end`, Malformed after four bytes."""
    value = 0
    for shift in (0, 7, 14, 21):
        if at >= end:
            raise IndexError
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Malformed("a length of more than four bytes")


@lru_cache(maxsize=8192)
def _topic(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""


@lru_cache(maxsize=8192)
def _text(text: str) -> bytes:
    """A UTF-8 string preceded by its length (1.5.4). Raises ValueError above 65,535 bytes."""
    raw = text.encode()
    if len(raw) > 0xFFFF:
        raise ValueError(f"a text of {len(raw)} bytes is too large for MQTT")
    return len(raw).to_bytes(2, "big") + raw
