"""The values of every device over the last hour, or since the buffer's first reading, sampled from the buffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from zelador.buffer.entry import decode_fields, order_of
from zelador.buffer.keys import Keys
from zelador.clock import now_ms

SPAN_MS = 3_600_000
MIN_SPAN_MS = 60_000
INSTANTS = 60
MAX_ENTRIES = 8  # read at each instant
MAX_READINGS = 400  # looked at, at each instant

Points = Mapping[str, tuple[tuple[int, float], ...]]  # by feature: time (ms), value; oldest first


@dataclass(frozen=True, slots=True)
class Courses:
    """`since` is the time (ms) of the oldest sample. A device that was in none of them is absent."""

    since: int
    devices: Mapping[str, Points]


def courses(client: redis.Redis, prefix: str) -> Courses:
    """Reads what arrived just before each of INSTANTS moments, so that a large plant costs no more than a small one.

    Raises redis.RedisError.
    """
    key, now = Keys(prefix).readings, now_ms()
    oldest: Any = client.xrange(key, count=1)
    newest: Any = client.xrevrange(key, count=1)
    if not oldest or not newest:
        return Courses(now, {})
    each = max(1, min(MAX_ENTRIES, MAX_READINGS // max(1, decode_fields(newest[0][1]).count)))
    span = min(SPAN_MS, max(MIN_SPAN_MS, now - order_of(oldest[0][0].decode())[0] + 1))
    step = span // INSTANTS
    begins = range(now - span, now, step)
    with client.pipeline(transaction=False) as pipeline:
        for begin in begins:
            pipeline.xrevrange(key, max=begin + step, min=begin + 1, count=each)
        answers: Any = pipeline.execute()
    found: dict[str, dict[str, dict[int, float]]] = {}
    for begin, entries in zip(begins, answers, strict=True):
        left = MAX_READINGS
        for _, fields in reversed(entries):
            decoded = decode_fields(fields)
            for arrival in decoded.arrivals or ():
                left -= len(arrival.readings)
                if left < 0:
                    break
                for reading in arrival.readings:
                    if reading.measured_at < now - SPAN_MS:
                        continue  # sent late, from a device's memory
                    of_device = found.setdefault(arrival.device_id, {})
                    for name, value in zip(decoded.features, reading.values, strict=False):
                        if value is not None:
                            of_device.setdefault(name, {})[begin + step] = value  # the newest wins
    points = {
        device: {name: tuple(sorted(values.items())) for name, values in features.items()}
        for device, features in found.items()
    }
    times = [values[0][0] for features in points.values() for values in features.values()]
    return Courses(min(times, default=now), points)
