"""Counts messages on topics that no profile reads, in the bytes that pass the gate."""

from __future__ import annotations

from command.up.connect_packet import MQTT_5, read_varint
from command.up.device_stream import PUBLISH
from zelador.unread import UnreadTopics

MAX_HELD = 8_192  # bytes that are kept until a packet is complete; of a longer one, only these are read
TRUSTED = 1_000  # messages on known topics only; then the connection is no longer read


class TopicTap:
    """Reads a connection after its CONNECT, in chunks of any size. Changes nothing, and refuses nothing."""

    def __init__(self, level: int, topics: UnreadTopics) -> None:
        self._v5 = level >= MQTT_5
        self._topics = topics
        self._held = b""
        self._skip = 0  # remaining bytes of the current packet
        self._known = 0
        self._has_unread = False

    def feed(self, data: bytes) -> bool:
        """Reads a chunk. Returns False when the connection need not be read any further."""
        if self._skip >= len(data):
            self._skip -= len(data)
            return True
        if self._held:
            data, self._held = self._held + data, b""
        at, end = self._skip, len(data)
        while at < end:
            try:
                length, body = read_varint(data[at : at + 5], 1)
            except ValueError:
                return False  # malformed; the broker ends this connection
            stop = at + body + length
            if body == 0 or (stop > end and data[at] >> 4 == PUBLISH and end - at < MAX_HELD):
                self._held, self._skip = data[at:], 0
                return True
            if data[at] >> 4 == PUBLISH:
                self._note(data, at, at + body, min(stop, end))
            at = stop
        self._skip = at - end
        return self._has_unread or self._known < TRUSTED

    def _note(self, data: bytes, at: int, body: int, stop: int) -> None:
        named = body + 2 + int.from_bytes(data[body : body + 2], "big")
        payload = named + (2 if data[at] & 6 else 0)
        if payload > stop:
            return
        try:
            topic = data[body + 2 : named].decode()
            if self._v5:
                size, begin = read_varint(data[payload : min(payload + 4, stop)], 0)
                payload += size + begin
        except ValueError:
            return
        if self._topics.note(topic, data[payload:stop]):
            self._has_unread = True
        else:
            self._known += 1
