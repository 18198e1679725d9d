"""The labels of periods as they were at a moment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.errors import InvalidInput
from zelador.labels.label import Label, Undone
from zelador.labels.timeline import Timeline
from zelador.messages import iso
from zelador.undecodable import UNDECODABLE

PAGE_ENTRIES = 2_000
WAIT_S, TIMES = 0.002, 50


@dataclass(frozen=True, slots=True)
class Past:
    """The labels that counted at `at` (ms since 1970 UTC by the clock of Redis), in the order in which they were added.

    `last` is the newest entry of the list that was taken.
    """

    at: int
    last: str
    labels: tuple[Label, ...]

    def timelines(self) -> dict[str, Timeline]:
        """The timeline of each device."""
        found: dict[str, list[Label]] = {}
        for label in self.labels:
            found.setdefault(label.device, []).append(label)
        return {device: Timeline(labels) for device, labels in found.items()}


def labels_as_of(client: redis.Redis, prefix: str, at: int | None = None) -> Past:
    """The labels as they were at a moment; by default now, with all that were added before the call.

    Raises InvalidInput if `at` is in the future, redis.RedisError.
    """
    key = Keys(prefix).labels
    now = at if at is not None else _settled(client, key)
    if at is not None and at > _now(client):
        raise InvalidInput(f"labels_at ({iso(at)}) is in the future; leave it out to take the labels as they are")
    labels: dict[str, Label] = {}
    start, last = "-", ""
    while True:
        page: Any = client.xrange(key, min=start, max=str(now), count=PAGE_ENTRIES)
        for entry, fields in page:
            last = entry.decode()
            try:
                if (raw := fields.get(b"label")) is not None:
                    label = msgspec.json.decode(raw, type=Label)
                    labels[label.id] = label
                elif (raw := fields.get(b"undone")) is not None:
                    labels.pop(msgspec.json.decode(raw, type=Undone).id, None)
            except UNDECODABLE:
                continue  # Labels, which follows the list, logs it
        if len(page) < PAGE_ENTRIES:
            return Past(now, last, tuple(labels.values()))
        start = f"({last}"


def last_entry(client: redis.Redis, prefix: str) -> str:
    """The newest entry of the list; it changes with each label that is added or undone."""
    page: Any = client.xrevrange(Keys(prefix).labels, count=1)
    return page[0][0].decode() if page else ""


def _settled(client: redis.Redis, key: str) -> int:
    """The latest moment before which no label can be added any more."""
    for _ in range(TIMES):
        now = _now(client)
        page: Any = client.xrevrange(key, count=1)
        newest = int(page[0][0].partition(b"-")[0]) if page else 0
        if newest < now:
            return now - 1
        if newest > now + 1_000:  # the clock of Redis went back
            return newest
        time.sleep(WAIT_S)
    return newest


def _now(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1_000 + int(micros) // 1_000
