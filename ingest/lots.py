"""Decodes a batch of messages and cuts it into lots. Pure except for the decoder's counters.

A message may hold many readings, so one batch can be larger than Redis should store in one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ingest.broker_stats import is_system
from zelador.buffer import Refused
from zelador.buffer.batch import refusals
from zelador.decode import Decoder
from zelador.link import Message
from zelador.messages import Arrival

LOT_READINGS, LOT_BYTES = 5_000, 8_388_608  # a lot ends with the message that reaches one of these


class Lot(msgspec.Struct, frozen=True):
    """Consecutive messages of a batch that are stored in one call, and acknowledged together."""

    messages: Sequence[Message]
    arrivals: list[Arrival]  # the readings to store
    refused: list[Refused]  # what goes to quarantine
    statistics: list[Message]  # what the broker reports about itself; not stored

    @property
    def refused_readings(self) -> int:
        return sum([item.count for item in self.refused])


def lots(batch: Sequence[Message], decoder: Decoder, max_payload_bytes: int) -> Iterator[Lot]:
    """The lots of `batch`, in order; each is decoded only when the caller asks for it.

    Quarantine keeps a refused payload whole up to `max_payload_bytes`, and the beginning of a larger one.
    """
    begun, readings, size = 0, 0, 0
    arrivals: list[Arrival] = []
    refused: list[Refused] = []
    statistics: list[Message] = []
    for index, message in enumerate(batch):
        topic = message.topic
        if is_system(topic):
            statistics.append(message)
            continue
        arrival, bad = decoder.decode(
            topic, message.payload, message.received_at, message.response_topic, message.correlation, message.retained
        )
        if arrival is not None:
            arrivals.append(arrival)
            readings += len(arrival.readings)
        if bad:
            refused += refusals(topic, bad, message.received_at, max_payload_bytes, decoder.heard)
            readings += len(bad)
        size += len(message.payload) + len(topic) + len(message.correlation or b"")
        if readings >= LOT_READINGS or size >= LOT_BYTES:
            yield Lot(batch[begun : index + 1], arrivals, refused, statistics)
            begun, readings, size, arrivals, refused, statistics = index + 1, 0, 0, [], [], []
    if begun < len(batch):
        yield Lot(batch[begun:], arrivals, refused, statistics)
