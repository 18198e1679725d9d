"""Checks what a device sends to rumqttd, the broker from the wheel, because some packets crash it.

A topic whose first character has several bytes, or a packet that only a server may send, ends rumqttd's router and
every connection with it. Each packet is checked before the broker receives it; payloads pass unchecked.
"""

from __future__ import annotations

from command.up.connect_packet import MQTT_5, read_text, read_varint

PUBLISH, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT = 3, 8, 10, 14
ACKNOWLEDGEMENTS = frozenset((4, 5, 6, 7))  # PUBACK, PUBREC, PUBREL, PUBCOMP
PINGREQ = 12
MAX_FILTER_PACKET = 262_144  # bytes of a SUBSCRIBE or UNSUBSCRIBE, which is buffered until it is complete
MAX_SMALL_PACKET = 65_536  # bytes of an acknowledgement or a DISCONNECT


class Refused(ValueError):
    """A packet that must not reach the broker. The device's connection is closed."""


class DeviceStream:
    """Checks what a device sends after its CONNECT, in chunks of any size. Buffers at most the head of one packet."""

    def __init__(self, level: int) -> None:
        self._v5 = level >= MQTT_5
        self._held = bytearray()
        self._needed = 0  # bytes that the buffer needs before the next check
        self._passing = 0  # remaining bytes of the current packet, which may pass

    @property
    def is_between_packets(self) -> bool:
        """Returns whether the broker has received complete packets only."""
        return not self._passing and not self._held

    def feed(self, data: bytes) -> bytes:
        """Returns the bytes that may be sent to the broker now. Raises Refused."""
        if self._passing >= len(data):
            self._passing -= len(data)
            return data
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return b""
            data = bytes(self._held)
            self._held.clear()
        at, end = self._passing, len(data)
        self._passing = 0
        while at < end:
            first, body = data[at], at + 2
            if (
                first & 0xF0 == PUBLISH << 4 and first & 6 != 6 and at + 6 < end
            ):  # nearly every packet; checked here, because a call costs time
                length = data[at + 1]
                if length > 0x7F:  # a two-byte length; longer ones are left to _check
                    length, body = (length & 0x7F | data[body] << 7, body + 1) if data[body] < 0x80 else (0, body)
                named = body + 2 + (data[body] << 8 | data[body + 1])
                stop = body + length
                if body + 2 < named <= stop and named <= end and data[body + 2] < 0x80:
                    at = stop
                    continue
            stop = self._check(data, at, end)
            if stop == 0:  # its head is incomplete
                self._held += data[at:]
                return data[:at]
            at = stop
        self._passing = at - end
        return data

    def _check(self, data: bytes, at: int, end: int) -> int:
        """Checks the packet that begins at `at`. Returns its end if it may pass, or 0 while more bytes are needed."""
        first, self._needed = data[at], 0
        if at + 1 < end and data[at + 1] < 0x80:
            length, body = data[at + 1], at + 2
        else:
            try:
                length, body = read_varint(data[at : at + 5], 1)
            except ValueError as error:
                raise Refused(str(error)) from None
            if body == 0:
                return 0
            body += at
        stop = body + length
        kind = first >> 4
        if kind == PUBLISH:
            named = body + 2 + (data[body] << 8 | data[body + 1]) if body + 2 <= end else 0
            if named > stop or length < 2 or first & 6 == 6:
                raise Refused("a malformed PUBLISH")
            if named == 0 or named > end:
                self._needed = named - at
                return 0
            if named > body + 2 and data[body + 2] & 0x80:
                check_topic(data[body + 2 : named])
            return stop
        if kind in (SUBSCRIBE, UNSUBSCRIBE):
            if length > MAX_FILTER_PACKET or first & 0x0F != 2:
                raise Refused("a malformed or very large SUBSCRIBE")
            if stop > end:
                self._needed = stop - at
                return 0
            self._check_filters(data[body:stop], options=int(kind == SUBSCRIBE))
            return stop
        if (kind in ACKNOWLEDGEMENTS and length >= 2) or kind == DISCONNECT:
            if length > MAX_SMALL_PACKET:
                raise Refused("a very large acknowledgement")
            return stop
        if kind == PINGREQ and length == 0:
            return stop
        raise Refused(f"a packet of type {kind}, which a client may not send here")

    def _check_filters(self, body: bytes, options: int) -> None:
        try:
            at = 2
            if self._v5:
                length, begin = read_varint(body, at)
                at = begin + length
                if begin == 0:
                    raise ValueError("a packet without properties")
            if at >= len(body):
                raise ValueError("a packet without a filter")
            while at < len(body):
                found, at = read_text(body, at)
                check_topic(found)
                if found.startswith(b"$share"):
                    group, _, rest = found[7:].partition(b"/")
                    if not found.startswith(b"$share/") or not group or not rest:
                        raise ValueError("a shared subscription without group or filter")
                    check_topic(rest)
                at += options
        except ValueError as error:
            raise Refused(str(error)) from None


def check_topic(topic: bytes) -> None:
    """Raises Refused for a topic or filter that crashes rumqttd's router."""
    if topic[:1] >= b"\x80":
        raise Refused(f"the topic {topic[:80].decode(errors='replace')!r} does not start with an ASCII character")
