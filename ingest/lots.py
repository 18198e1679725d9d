"""Decodes a batch of messages and cuts it into lots. Pure except for the decoder's counters.

A message may hold many readings, so one batch can be larger than Redis should store in one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ingest.broker_stats import is_system
from zelador.buffer import Refused
from zelador.buffer.batch import refusals
from zelador.decode import Decoder, Part
from zelador.decode.unusable import Unusable
from zelador.labels import Label
from zelador.labels.message import LabelMessages
from zelador.link import Message
from zelador.messages import Arrival

LOT_READINGS, LOT_BYTES = 5_000, 8_388_608  # a lot ends with the message that reaches one of these


class Lot(msgspec.Struct, frozen=True):
    """Consecutive messages of a batch that are stored in one call, and acknowledged together."""

    messages: Sequence[Message]
    arrivals: list[Arrival]  # the readings to store
    refused: list[Refused]  # what goes to quarantine
    statistics: list[Message]  # what the broker reports about itself; not stored
    parts: list[Part] = []  # values that came on topics of their own
    labels: list[tuple[Message, Label]] = []  # labels of periods, which devices sent

    @property
    def refused_readings(self) -> int:
        return sum([item.count for item in self.refused])


def lots(
    batch: Sequence[Message], decoder: Decoder, max_payload_bytes: int, label_messages: LabelMessages | None = None
) -> Iterator[Lot]:
    """The lots of `batch`, in order; each is decoded only when the caller asks for it.

    Quarantine keeps a refused payload whole up to `max_payload_bytes`, and the beginning of a larger one.
    """
    begun, readings, size = 0, 0, 0
    arrivals: list[Arrival] = []
    refused: list[Refused] = []
    statistics: list[Message] = []
    parts: list[Part] = []
    labels: list[tuple[Message, Label]] = []
    for index, message in enumerate(batch):
        topic = message.topic
        if is_system(topic):
            statistics.append(message)
            continue
        if label_messages is not None and label_messages.takes(topic):
            _take_label(message, label_messages, max_payload_bytes, labels, refused)
            readings += 1
        elif decoder.has_parts and _take_part(message, decoder, max_payload_bytes, parts, refused):
            readings += 1
        else:
            arrival, bad = decoder.decode(
                topic,
                message.payload,
                message.received_at,
                message.response_topic,
                message.correlation,
                message.retained,
            )
            if arrival is not None:
                arrivals.append(arrival)
                readings += len(arrival.readings)
            if bad:
                profile = decoder.profile_of(topic)
                refused += refusals(
                    topic,
                    bad,
                    message.received_at,
                    max_payload_bytes,
                    decoder.heard,
                    profile=profile,
                    device=decoder.device(topic) if profile else "",
                    retained=message.retained,
                )
                readings += len(bad)
        size += len(message.payload) + len(topic) + len(message.correlation or b"")
        if readings >= LOT_READINGS or size >= LOT_BYTES:
            yield Lot(batch[begun : index + 1], arrivals, refused, statistics, parts, labels)
            begun, readings, size = index + 1, 0, 0
            arrivals, refused, statistics, parts, labels = [], [], [], [], []
    if begun < len(batch):
        yield Lot(batch[begun:], arrivals, refused, statistics, parts, labels)


def _take_label(
    message: Message,
    label_messages: LabelMessages,
    max_payload_bytes: int,
    labels: list[tuple[Message, Label]],
    refused: list[Refused],
) -> None:
    """Adds the label of a message to `labels`, or the message to `refused`."""
    try:
        label = label_messages.read(message.topic, message.payload, message.received_at)
    except Unusable as reason:
        refused.append(refused_label(message, str(reason), label_messages, max_payload_bytes))
        return
    if label is not None:
        labels.append((message, label))


def _take_part(
    message: Message, decoder: Decoder, max_payload_bytes: int, parts: list[Part], refused: list[Refused]
) -> bool:
    """Adds the one value of a message to `parts`, or the message to `refused`; False if it holds whole readings."""
    try:
        part = decoder.part(message)
    except LookupError:
        return False
    if isinstance(part, Part):
        parts.append(part)
    elif part is not None:
        refused.append(_refused_part(message, part, decoder, max_payload_bytes))
    return True


def refused_label(message: Message, reason: str, label_messages: LabelMessages, most: int) -> Refused:
    """A message on the label topic, for the quarantine. It counts towards its device's share."""
    device = label_messages.device(message.topic)
    return Refused.of(
        message.topic, reason, message.payload, message.received_at, most=most, device=device, retained=message.retained
    )  # fmt: skip


def _refused_part(message: Message, reason: str, decoder: Decoder, most: int) -> Refused:
    topic, payload = message.topic, message.payload
    profile, device = decoder.profile_of(topic), decoder.device(topic)
    return Refused.of(
        topic,
        reason,
        payload,
        message.received_at,
        most=most,
        profile=profile,
        device=device,
        retained=message.retained,
    )
