"""Parses the parts of a CONNECT packet (MQTT 3.1, 3.1.1 and 5) that the gate needs. Pure: no socket."""

from __future__ import annotations

from dataclasses import dataclass

CONNECT = 0x10
MQTT_5 = 5
MAX_CONNECT_BYTES = 131_072  # a will of the maximum size, and ample room for the rest
MAX_NAME_BYTES = 8  # of the protocol, MQTT or MQIsdp
BRIDGE = 0x80  # Mosquitto treats a client with this bit in the level as a bridge


@dataclass(frozen=True, slots=True)
class Connect:
    level: int  # of the protocol: 3, 4 or 5
    client_id: str
    will_topic: bytes | None
    size: int  # bytes of the packet


def read_connect(start: bytes | bytearray) -> Connect | None:
    """Parses the CONNECT packet at the start of the bytes; None while more bytes are needed.

    Raises ValueError if it is not a CONNECT packet, or is too large.
    """
    if not start:
        return None
    if start[0] != CONNECT:
        raise ValueError("not a CONNECT packet")
    length, body = read_varint(start, 1)
    if body == 0:
        return None
    if length > MAX_CONNECT_BYTES:
        raise ValueError(f"a CONNECT packet of {length} bytes")
    if body + 2 <= len(start) and not 0 < int.from_bytes(start[body : body + 2], "big") <= MAX_NAME_BYTES:
        raise ValueError("not MQTT")
    stop = body + length
    if len(start) < stop:
        return None
    return _fields(bytes(start[body:stop]), stop)


def read_varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """A variable byte integer (MQTT 5, 1.5.5) and its end; (0, 0) if it is incomplete. Raises ValueError."""
    value = 0
    for shift in (0, 7, 14, 21):
        if at >= len(data):
            return 0, 0
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a malformed length")


def read_text(data: bytes | bytearray, at: int) -> tuple[bytes, int]:
    """A field with a two-byte length, and its end. Raises ValueError if it is incomplete."""
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    if at + 2 > len(data) or end > len(data):
        raise ValueError("a field reaches beyond its packet")
    return bytes(data[at + 2 : end]), end


def _fields(body: bytes, size: int) -> Connect:
    name, at = read_text(body, 0)
    if name not in (b"MQTT", b"MQIsdp") or at + 4 > len(body):
        raise ValueError("not MQTT")
    level, flags = body[at] & ~BRIDGE, body[at + 1]
    at = _after_properties(body, at + 4) if level >= MQTT_5 else at + 4
    raw_id, at = read_text(body, at)
    will_topic = None
    if flags & 0x04:
        at = _after_properties(body, at) if level >= MQTT_5 else at
        will_topic, at = read_text(body, at)
    return Connect(level, raw_id.decode(), will_topic, size)


def _after_properties(body: bytes, at: int) -> int:
    length, begin = read_varint(body, at)
    if begin == 0 or begin + length > len(body):
        raise ValueError("properties reach beyond their packet")
    return begin + length
