"""Labeled readings in the buffer, for training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import redis

from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.settings import Settings

PAGE_ENTRIES = 1_000


def labelled_readings(
    client: redis.Redis, settings: Settings, lacking: Counter[str] | None = None
) -> Iterator[tuple[tuple[float, ...], str, int, str]]:
    """Yields (values in the order of `settings.features`, label, time in ms, device) of each labeled reading.

    Oldest first. Skips readings that lack one of the features, and counts them in `lacking` by feature.
    Raises redis.RedisError.
    """
    key, start = Keys(settings.redis.prefix).readings, "-"
    wanted = settings.features
    while True:
        page: Any = client.xrange(key, min=start, count=PAGE_ENTRIES)
        for _, fields in page:
            entry = decode_fields(fields)
            missing = [name for name in wanted if name not in entry.features]
            labeled = [
                (arrival.device_id, reading)
                for arrival in entry.arrivals or ()
                for reading in arrival.readings
                if reading.label is not None
            ]
            if missing:
                if lacking is not None and labeled:
                    lacking.update(dict.fromkeys(missing, len(labeled)))
                continue
            order = [entry.features.index(name) for name in wanted]
            for device, reading in labeled:
                yield tuple(reading.values[i] for i in order), str(reading.label), reading.measured_at, device
        if len(page) < PAGE_ENTRIES:
            return
        start = f"({page[-1][0].decode()}"
