"""Divides the answer to an array into messages that the broker takes."""

from __future__ import annotations

from itertools import compress

from inference.answer import Answered
from zelador.link import Outgoing, publish_bytes
from zelador.messages import encode_json

HEAD_BYTES = 4_096  # more than the topic and properties of any of our messages


def in_parts(item: Answered, topic: str, limit: int) -> list[bytes]:
    """The payloads of `item`'s predictions, each a JSON array (or the one prediction), in packets of `limit` bytes.

    A prediction that alone is larger than that becomes a failure of its reading.
    """
    array = item.arrival is not None and item.arrival.array
    room = limit - max(HEAD_BYTES if limit > 4 * HEAD_BYTES else 0, publish_bytes(Outgoing(topic, b"")))
    encoded = [(prediction, encode_json(prediction)) for prediction in item.predictions]
    _set_aside(item, {prediction.reading_id for prediction, raw in encoded if len(raw) + 2 > room}, limit)
    fitting = [raw for _, raw in encoded if len(raw) + 2 <= room]
    if not array:
        return fitting
    payloads: list[bytes] = []
    part: list[bytes] = []
    size = 1
    for raw in fitting:
        if part and size + len(raw) + 1 > room:
            payloads.append(b"[" + b",".join(part) + b"]")
            part, size = [], 1
        part.append(raw)
        size += len(raw) + 1
    if part:
        payloads.append(b"[" + b",".join(part) + b"]")
    return payloads


def _set_aside(item: Answered, reading_ids: set[str], limit: int) -> None:
    if not reading_ids or item.arrival is None:
        return
    reason = f"its prediction is larger than the {limit} bytes that the broker or ZELADOR_MQTT__PACKET_BYTES allow"
    item.failures.extend((reading, reason) for reading in item.arrival.readings if reading.id in reading_ids)
    fits = [prediction.reading_id not in reading_ids for prediction in item.predictions]
    item.predictions, item.times = list(compress(item.predictions, fits)), list(compress(item.times, fits))
