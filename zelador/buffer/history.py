"""Labeled readings in the buffer, for training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.messages import Arrival
from zelador.settings import Settings

PAGE_ENTRIES = 1_000
_decode = msgspec.json.Decoder(tuple[Arrival, ...]).decode


def labelled_readings(client: redis.Redis, settings: Settings) -> Iterator[tuple[tuple[float, ...], str, int, str]]:
    """Yields (values, label, time in ms, device) of each labeled reading, oldest first.

    The values are in the order of `settings.features`. Skips readings that lack one of the features.
    Raises redis.RedisError.
    """
    key, start = Keys(settings.redis.prefix).readings, "-"
    wanted = settings.features
    while True:
        page: Any = client.xrange(key, min=start, count=PAGE_ENTRIES)
        for _, fields in page:
            features, data = next(iter(fields.items()))
            names = tuple(features.decode(errors="replace").split(","))
            if not set(wanted) <= set(names):
                continue
            order = [names.index(name) for name in wanted]
            try:
                arrivals = _decode(data)
            except msgspec.DecodeError:
                continue
            for arrival in arrivals:
                for reading in arrival.readings:
                    if reading.label is not None:
                        values = tuple(reading.values[i] for i in order)
                        yield values, reading.label, reading.measured_at, arrival.device_id
        if len(page) < PAGE_ENTRIES:
            return
        start = f"({page[-1][0].decode()}"
