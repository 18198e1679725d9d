"""Limits a device to its own topics on a broker without an access list (rumqttd).

A publish to another topic is sent on as an empty message to a topic that nobody reads. So the broker acknowledges it,
as Mosquitto does, and the gate need not insert an acknowledgment between the broker's own packets. A subscription is
narrowed to what the device may read.
"""

from __future__ import annotations

from collections.abc import Callable

from command.up.connect_packet import MQTT_5, read_text, read_varint, text_field, varint
from command.up.device_stream import PUBLISH, SUBSCRIBE, UNSUBSCRIBE, Refused
from command.up.rights import NOWHERE, Rights

SHARED = "$share/"


class RightsStream:
    """Rewrites what a device sends after its CONNECT, in chunks of any size, already checked by DeviceStream."""

    def __init__(self, level: int, rights: Rights, complain: Callable[[str], None]) -> None:
        self._v5 = level >= MQTT_5
        self._rights = rights
        self._complain = complain
        self._held = bytearray()
        self._passing = 0  # remaining bytes of the current packet that are passed to the broker
        self._dropping = 0  # remaining bytes of the current packet that are dropped

    def feed(self, data: bytes) -> bytes:
        """Returns the bytes that may be sent to the broker now. Raises Refused."""
        self._held += data
        out = bytearray()
        while self._held:
            if step := min(self._passing, len(self._held)):
                out += self._held[:step]
                self._passing -= step
            elif step := min(self._dropping, len(self._held)):
                self._dropping -= step
            elif not (step := self._packet(out)):
                break
            del self._held[:step]
        return bytes(out)

    def _packet(self, out: bytearray) -> int:
        """Handles the packet at the start of the buffer. Returns its handled bytes, or 0 if more are needed."""
        try:
            length, body = read_varint(self._held[:5], 1)
            if body == 0:
                return 0
            kind = self._held[0] >> 4
            if kind == PUBLISH:
                return self._publish(out, body, body + length)
            if kind in (SUBSCRIBE, UNSUBSCRIBE):
                if len(self._held) < body + length:
                    return 0
                out += self._filters(bytes(self._held[body : body + length]), subscribe=kind == SUBSCRIBE)
                return body + length
        except ValueError as error:
            raise Refused(str(error)) from None
        self._passing = body + length - 1  # the rest of the packet, after this byte
        out += self._held[:1]
        return 1

    def _publish(self, out: bytearray, body: int, stop: int) -> int:
        first, end = self._held[0], len(self._held)
        if end < body + 2:
            return 0
        named = body + 2 + int.from_bytes(self._held[body : body + 2], "big")
        qos = first >> 1 & 3
        head = named + (2 if qos else 0)
        if head > stop:
            raise Refused("a malformed PUBLISH")
        if end < head:
            return 0
        topic = self._held[body + 2 : named].decode()
        # An empty topic stands for an alias. The broker has aliases only for allowed topics.
        if (self._v5 and not topic) or self._rights.may_publish(topic):
            out += self._held[:head]
            self._passing = stop - head
            return head
        self._complain(f"it published on {topic[:200]!r}, which is not a topic of its readings")
        packet_id = bytes(self._held[named:head])
        content = text_field(NOWHERE.encode()) + packet_id + (b"\0" if self._v5 else b"")
        out += bytes([first & 0xFE]) + varint(len(content)) + content  # without the flag for retained messages
        self._dropping = stop - head
        return head

    def _filters(self, content: bytes, subscribe: bool) -> bytes:
        at = 2
        if self._v5:
            length, begin = read_varint(content, at)
            at = begin + length
        changed = bytearray(content[:at])
        while at < len(content):
            wanted, at = read_text(content, at)
            changed += text_field(self._narrowed(wanted.decode(), subscribe).encode())
            if subscribe:
                changed += content[at : at + 1]
                at += 1
        return bytes([0x82 if subscribe else 0xA2]) + varint(len(changed)) + bytes(changed)

    def _narrowed(self, wanted: str, subscribe: bool) -> str:
        found = None if wanted.startswith(SHARED) else self._rights.readable(wanted)
        if found is None:
            if subscribe:
                self._complain(f"it subscribed to {wanted[:200]!r}, of which it may read nothing")
            return NOWHERE
        return found
