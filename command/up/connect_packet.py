"""Parses the parts of a CONNECT packet (MQTT 3.1, 3.1.1 and 5) that the gate needs. Pure: no socket."""

from __future__ import annotations

from dataclasses import dataclass

CONNECT = 0x10
MQTT_5 = 5
MAX_CONNECT_BYTES = 131_072  # enough for a will of the maximum size and everything else
MAX_NAME_BYTES = 8  # of the protocol's name, MQTT or MQIsdp
WILL, WILL_FLAGS = 0x04, 0x3C  # the will's flag alone, and together with its QoS and retain
PASSWORD, USERNAME, LOGIN_FLAGS = 0x40, 0x80, 0xC0
BRIDGE = 0x80  # Mosquitto treats a client with this bit in the level as a bridge


@dataclass(frozen=True, slots=True)
class Connect:
    level: int  # of the protocol: 3, 4 or 5
    client_id: str
    will_topic: bytes | None
    size: int  # bytes of the packet
    username: str | None = None
    password: bytes | None = None


def read_connect(start: bytes | bytearray) -> Connect | None:
    """Parses the CONNECT packet at the start of the bytes; returns None while more bytes are needed.

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
    """Reads a variable byte integer (MQTT 5, 1.5.5), and returns it and its end; (0, 0) if incomplete.

    Raises ValueError if it is malformed.
    """
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
    """Reads a field with a two-byte length. Returns it and its end. Raises ValueError if it is incomplete."""
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    if at + 2 > len(data) or end > len(data):
        raise ValueError("a field reaches beyond its packet")
    return bytes(data[at + 2 : end]), end


def rewritten(packet: bytes, client_id: str, keep_will: bool, keep_login: bool) -> bytes:
    """Returns the CONNECT packet with another client id, and without its will or login if these are not kept.

    `packet` must be one that `read_connect` accepts.
    """
    _, body = read_varint(packet, 1)
    parts = _parts(packet[body:])
    flags = parts.flags
    content = text_field(client_id.encode())
    if flags & WILL:
        if keep_will:
            content += parts.will
        else:
            flags &= ~WILL_FLAGS
    if keep_login:
        content += parts.login
    else:
        flags &= ~LOGIN_FLAGS
    head = bytearray(parts.head)
    head[parts.flags_at] = flags
    content = bytes(head) + content
    return bytes([CONNECT]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Encodes a variable byte integer (MQTT 5, 1.5.5)."""
    out = bytearray()
    while True:
        number, rest = number >> 7, number & 0x7F
        out.append(rest | (0x80 if number else 0))
        if not number:
            return bytes(out)


def text_field(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


@dataclass(frozen=True, slots=True)
class _Parts:
    """A CONNECT's content, divided where the gate may change it. `head` is everything before the client id."""

    head: bytes
    flags_at: int
    level: int
    flags: int
    client_id: bytes
    will: bytes
    will_topic: bytes | None
    login: bytes
    username: bytes | None
    password: bytes | None


def _parts(body: bytes) -> _Parts:
    name, at = read_text(body, 0)
    if name not in (b"MQTT", b"MQIsdp") or at + 4 > len(body):
        raise ValueError("not MQTT")
    flags_at = at + 1
    level, flags = body[at] & ~BRIDGE, body[flags_at]
    at = _after_properties(body, at + 4) if level >= MQTT_5 else at + 4
    head = body[:at]
    raw_id, at = read_text(body, at)
    begin, will_topic = at, None
    if flags & WILL:
        at = _after_properties(body, at) if level >= MQTT_5 else at
        will_topic, at = read_text(body, at)
        _, at = read_text(body, at)
    will, begin = body[begin:at], at
    username = password = None
    if flags & USERNAME:
        username, at = read_text(body, at)
    if flags & PASSWORD:
        password, at = read_text(body, at)
    return _Parts(head, flags_at, level, flags, raw_id, will, will_topic, body[begin:at], username, password)


def _fields(body: bytes, size: int) -> Connect:
    parts = _parts(body)
    username = None if parts.username is None else parts.username.decode()
    return Connect(parts.level, parts.client_id.decode(), parts.will_topic, size, username, parts.password)


def _after_properties(body: bytes, at: int) -> int:
    length, begin = read_varint(body, at)
    if begin == 0 or begin + length > len(body):
        raise ValueError("properties reach beyond their packet")
    return begin + length
