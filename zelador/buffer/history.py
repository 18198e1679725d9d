"""Walks through the readings in the buffer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import redis

from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.labels.known import KnownLabels
from zelador.messages import Reading

PAGE_ENTRIES = 1_000


class Buffered(msgspec.Struct, frozen=True, gc=False):
    """A reading in the buffer. `place` is its position among the readings of its entry; `label` is what was sent."""

    entry: str
    place: int
    device: str
    received_at: int
    features: tuple[str, ...]
    reading: Reading
    label: str | None


def bounds(client: redis.Redis, prefix: str) -> tuple[str, str] | None:
    """The first and the last entry; None if the buffer is empty. Raises redis.RedisError."""
    key = Keys(prefix).readings
    first: Any = client.xrange(key, count=1)
    last: Any = client.xrevrange(key, count=1)
    return (first[0][0].decode(), last[0][0].decode()) if first and last else None


def pages(client: redis.Redis, prefix: str, start: str = "-", last: str = "+") -> Iterator[list[tuple[bytes, Any]]]:
    """The entries from `start` to `last`, page by page, oldest first; `(ID` excludes one. Raises redis.RedisError."""
    key = Keys(prefix).readings
    while True:
        page: Any = client.xrange(key, min=start, max=last, count=PAGE_ENTRIES)
        yield page
        if len(page) < PAGE_ENTRIES:
            return
        start = f"({page[-1][0].decode()}"


def walk(client: redis.Redis, prefix: str, after: str | None = None, last: str = "+") -> Iterator[list[Buffered]]:
    """The readings of the entries after `after` up to `last`, page by page, oldest first. Raises redis.RedisError."""
    known = KnownLabels(client, prefix)
    for page in pages(client, prefix, "-" if after is None else f"({after}", last):
        found: list[tuple[str, int, str, int, tuple[str, ...], Reading]] = []
        for name, fields in page:
            entry, place = decode_fields(fields), 0
            for arrival in entry.arrivals or ():
                for reading in arrival.readings:
                    found.append(
                        (name.decode(), place, arrival.device_id, arrival.received_at, entry.features, reading)
                    )
                    place += 1
        labels = known.sent([(each[2], each[5]) for each in found])
        yield [Buffered(*each, label) for each, label in zip(found, labels, strict=True)]
