"""Reads the readings of a device that are in the buffer, the newest first, within limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from archive.dataset.history.buckets import Course
from zelador.buffer.entry import decode_fields, order_of
from zelador.buffer.keys import Keys
from zelador.labels.known import KnownLabels
from zelador.messages import Reading, encode_json

PAGE_ENTRIES = 200
MAX_ENTRIES = 50_000
AHEAD_MS = 300_000  # a device's clock may be ahead by this much


def read_buffered(
    client: redis.Redis,
    prefix: str,
    device: str,
    course: Course,
    after: str | None,
    budget_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Adds the readings of a device in entries after `after` (None: in all). Returns False if some were not read.

    Raises redis.RedisError.
    """
    key, known = Keys(prefix).readings, KnownLabels(client, prefix)
    least = max(0, course.grid.begin - AHEAD_MS)
    least_id = f"({after}" if after is not None and order_of(after)[0] >= least else str(least)
    most, deadline, name = "+", clock() + budget_s, encode_json(device)
    for _ in range(MAX_ENTRIES // PAGE_ENTRIES):
        page: Any = client.xrevrange(key, max=most, min=least_id, count=PAGE_ENTRIES)
        found = [row for _, fields in page for row in _of_device(fields, device, name, course.features)]
        labels = known.sent([(device, reading) for reading, _ in found])
        for (reading, values), label in zip(found, labels, strict=True):
            course.add_reading(reading.measured_at, values, label)
        if len(page) < PAGE_ENTRIES:
            return True
        if clock() >= deadline:
            return False
        most = f"({page[-1][0].decode()}"
    return False


def _of_device(
    fields: Mapping[bytes, bytes], device: str, name: bytes, features: Sequence[str]
) -> list[tuple[Reading, list[float | None]]]:
    """Returns the readings of a device in an entry. Most entries of a large plant do not contain its name."""
    if not any(name in value for value in fields.values()):
        return []
    entry = decode_fields(fields)
    places = [entry.features.index(feature) if feature in entry.features else None for feature in features]
    return [
        (reading, [None if place is None else _at(reading.values, place) for place in places])
        for arrival in entry.arrivals or ()
        if arrival.device_id == device
        for reading in arrival.readings
    ]


def _at(values: Sequence[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None
