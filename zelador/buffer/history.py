"""Labeled readings in the buffer, for training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.settings import Settings

PAGE_ENTRIES = 1_000


def labelled_readings(client: redis.Redis, settings: Settings) -> Iterator[tuple[tuple[float, ...], str, int]]:
    """Yields (values in the order of `settings.features`, label, time in ms) of each labeled reading, oldest first.

    Skips readings that lack one of the features. Raises redis.RedisError.
    """
    key, start = Keys(settings.redis.prefix).readings, "-"
    wanted = settings.features
    while True:
        page: Any = client.xrange(key, min=start, count=PAGE_ENTRIES)
        for _, fields in page:
            entry = decode_fields(fields)
            if not set(wanted) <= set(entry.features):
                continue
            order = [entry.features.index(name) for name in wanted]
            for reading in (reading for arrival in entry.arrivals or () for reading in arrival.readings):
                if reading.label is not None:
                    yield tuple(reading.values[i] for i in order), reading.label, reading.measured_at
        if len(page) < PAGE_ENTRIES:
            return
        start = f"({page[-1][0].decode()}"
