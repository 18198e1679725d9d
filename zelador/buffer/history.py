"""Labeled readings in the buffer, for training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.buffer.late_labels import LateLabels
from zelador.messages import Arrival, Reading
from zelador.settings import Settings

PAGE_ENTRIES = 1_000
_decode = msgspec.json.Decoder(tuple[Arrival, ...]).decode


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
                    values = reading.values
                    missing = float("nan")
                    row = tuple(missing if (value := values[i]) is None else value for i in order)
                    rows.append((row, reading.measured_at))
                    readings.append((arrival.device_id, reading))
        for (values, measured_at), label in zip(rows, late.of(readings), strict=True):
            if label is not None:
                yield values, label, measured_at
        if len(page) < PAGE_ENTRIES:
            return
        start = f"({page[-1][0].decode()}"
