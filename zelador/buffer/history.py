"""Labeled readings in the buffer, for training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import redis

from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.buffer.late_labels import LateLabels
from zelador.labels.labels import Labels
from zelador.messages import Reading
from zelador.settings import Settings

PAGE_ENTRIES = 1_000


def labelled_readings(
    client: redis.Redis, settings: Settings, lacking: Counter[str] | None = None
) -> Iterator[tuple[tuple[float, ...], str, int, str]]:
    """Yields (values in the order of `settings.features`, label, time in ms, device) of each labeled reading.

    Oldest first. A label may have come later, with a repeat, or for a period; that one counts before all others.
    Skips readings that lack one of the features, and counts them in `lacking` by feature. Raises redis.RedisError.
    """
    key, start = Keys(settings.redis.prefix).readings, "-"
    wanted, late = settings.features, LateLabels(client, settings.redis.prefix)
    given = Labels(client, settings.redis.prefix)
    while True:
        page: Any = client.xrange(key, min=start, count=PAGE_ENTRIES)
        readings: list[tuple[str, Reading]] = []
        entries: list[tuple[tuple[str, ...], int]] = []  # features, and the end of its readings in `readings`
        for _, fields in page:
            entry = decode_fields(fields)
            readings += [(arrival.device_id, each) for arrival in entry.arrivals or () for each in arrival.readings]
            entries.append((entry.features, len(readings)))
        labels, start_at = given.of(readings, late.of(readings), look=False), 0
        for features, end in entries:
            labeled = [at for at in range(start_at, end) if labels[at] is not None]
            start_at = end
            if missing := [name for name in wanted if name not in features]:
                if lacking is not None and labeled:
                    lacking.update(dict.fromkeys(missing, len(labeled)))
                continue
            order = [features.index(name) for name in wanted]
            for at in labeled:
                device, reading = readings[at]
                yield tuple(_number(reading.values[i]) for i in order), str(labels[at]), reading.measured_at, device
        if len(page) < PAGE_ENTRIES:
            return
        start = f"({page[-1][0].decode()}"


def _number(value: float | None) -> float:
    """The value, or NaN for a missing one."""
    return math.nan if value is None else value
