"""Loads the readings of a data set."""

from __future__ import annotations

import math
from typing import Any

import redis

from archive.dataset.columns import Columns
from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.buffer.late_labels import LateLabels
from zelador.labels import Labels
from zelador.messages import Reading
from zelador.settings import Settings

PAGE_ENTRIES = 1_000


def from_buffer(client: redis.Redis, settings: Settings) -> Columns:
    """All readings in the buffer, with their labels. A feature that an entry lacks is missing.

    Raises redis.RedisError.
    """
    prefix, found = settings.redis.prefix, Columns(settings.features)
    late, given, start = LateLabels(client, prefix), Labels(client, prefix), "-"
    key = Keys(prefix).readings
    while True:
        page: Any = client.xrange(key, min=start, count=PAGE_ENTRIES)
        readings: list[tuple[str, Reading]] = []
        rows: list[tuple[int, list[float]]] = []  # received, values
        for _, fields in page:
            entry = decode_fields(fields)
            order = [entry.features.index(name) if name in entry.features else None for name in settings.features]
            for arrival in entry.arrivals or ():
                for reading in arrival.readings:
                    readings.append((arrival.device_id, reading))
                    rows.append((arrival.received_at, [_value(reading, place) for place in order]))
        labels = given.of(readings, late.of(readings), look=False)
        for (device, reading), (received, values), label in zip(readings, rows, labels, strict=True):
            found.add(device, reading.measured_at, values, label, received)
        if len(page) < PAGE_ENTRIES:
            return found
        start = f"({page[-1][0].decode()}"


def _value(reading: Reading, place: int | None) -> float:
    value = None if place is None else reading.values[place]
    return math.nan if value is None else value
