"""Two witnesses on the connections, with their own MQTT parser, so that they do not share an error with the product.

One records what the broker delivers to an ingester and what the ingester acknowledges; the other records which
predictions the broker acknowledges to a worker. With both, a loss by the broker is evidence and not a guess.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.book import Book

CONNECT, PUBLISH, PUBACK = 1, 3, 4
FAILURE = 0x80


class Packets:
    """Cuts a stream of bytes into MQTT packets."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yields (first byte, body) of each complete packet."""
        held = self._held + data
        at = 0
        while (end := _end(held, at)) is not None and end[1] <= len(held):
            body, stop = end
            yield held[at], held[body:stop]
            at = stop
        self._held = held[at:]


def _end(data: bytes, at: int) -> tuple[int, int] | None:
    """Start and end of the body of the packet at `at`; None while its length is not known."""
    length, shift = 0, 0
    for place in range(at + 1, min(at + 5, len(data))):
        length |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            return place + 1, place + 1 + length
    return None


def _packet_id(body: bytes) -> int:
    """The packet id of a PUBLISH at QoS 1, which follows the topic."""
    at = 2 + (body[0] << 8 | body[1])
    return body[at] << 8 | body[at + 1]


def _at_qos_1(first: int) -> bool:
    return first >> 4 == PUBLISH and first >> 1 & 3 == 1


class _OnOneConnection:
    """The readings of each packet id, from its PUBLISH to its PUBACK."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.open: dict[int, list[int]] = {}
        self._sent, self._said = Packets(), Packets()

    def _acknowledged(self, body: bytes) -> list[int]:
        packet_id = body[0] << 8 | body[1]
        numbers = self.open.pop(packet_id, [])
        return [] if len(body) > 2 and body[2] >= FAILURE else numbers


class IngestTap(_OnOneConnection):
    """A witness between an ingester and its broker. `looks`: the session that looks for unread topics, at QoS 0."""

    looks = False

    def said(self, data: bytes) -> None:
        for first, body in self._said.feed(data):
            if _at_qos_1(first):
                self.open[_packet_id(body)] = self.book.readings(body)

    def sent(self, data: bytes) -> None:
        for first, body in self._sent.feed(data):
            if first >> 4 == CONNECT:
                self.looks = b"-look" in body
            if first >> 4 == PUBACK:
                for number in self._acknowledged(body):
                    self.book.stored[number] = 1


class WorkerTap(_OnOneConnection):
    """A witness between a worker and its broker."""

    def sent(self, data: bytes) -> None:
        for first, body in self._sent.feed(data):
            if _at_qos_1(first):
                self.open[_packet_id(body)] = self.book.predictions(body)

    def said(self, data: bytes) -> None:
        for first, body in self._said.feed(data):
            if first >> 4 == PUBACK:
                for number in self._acknowledged(body):
                    self.book.confirmed[number] = 1
