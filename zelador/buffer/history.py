"""Labeled readings in the buffer, for training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.buffer.late_labels import LateLabels
from zelador.messages import Reading
from zelador.settings import Settings

PAGE_ENTRIES = 1_000


def labelled_readings(client: redis.Redis, settings: Settings) -> Iterator[tuple[tuple[float, ...], str, int]]:
    """Yields (values in the order of `settings.features`, label, time in ms) of each labeled reading, oldest first.

    A label may have come later, with a repeat. Skips readings that lack one of the features. Raises redis.RedisError.
    """
    key, start = Keys(settings.redis.prefix).readings, "-"
    wanted, late = settings.features, LateLabels(client, settings.redis.prefix)
    while True:
        page: Any = client.xrange(key, min=start, count=PAGE_ENTRIES)
        rows: list[tuple[tuple[float, ...], int]] = []
        readings: list[tuple[str, Reading]] = []
        for _, fields in page:
            entry = decode_fields(fields)
            if not set(wanted) <= set(entry.features):
                continue
            order = [entry.features.index(name) for name in wanted]
            for arrival in entry.arrivals or ():
                for reading in arrival.readings:
                    rows.append((tuple(reading.values[i] for i in order), reading.measured_at))
                    readings.append((arrival.device_id, reading))
        for (values, measured_at), label in zip(rows, late.of(readings), strict=True):
            if label is not None:
                yield values, label, measured_at
        if len(page) < PAGE_ENTRIES:
            return
        start = f"({page[-1][0].decode()}"
