"""Counts the readings of the buffer that were labeled since a moment: in their message, or later by a period."""

from __future__ import annotations

from typing import Any

import redis

from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.labels.labels import Labels

PAGE_ENTRIES = 1_000


class NewLabels:
    """Counts readings that arrived with a label, and readings in a period that was labeled since.

    Arrivals are read once. For labels of periods the whole buffer is read, but only after one was added or undone.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key = Keys(prefix).readings
        self._labels = Labels(client, prefix)
        self._since = -1
        self._read_to = "0-0"
        self._arrived = 0
        self._given: frozenset[str] = frozenset()
        self._covered = 0

    def since(self, moment: int) -> int:
        """Returns the number of readings labeled since `moment` (ms since 1970 UTC). Raises redis.RedisError."""
        if moment != self._since:
            self._since, self._read_to = moment, f"{moment}-0"
            self._arrived, self._given, self._covered = 0, frozenset(), 0
        self._read_arrived()
        added = [label for label in self._labels.snapshot().active() if label.at >= moment]
        if (ids := frozenset(label.id for label in added)) != self._given:
            self._given, self._covered = ids, self._walk({label.device for label in added}, added)
        return self._arrived + self._covered

    def _read_arrived(self) -> None:
        for entry, fields in self._pages(f"({self._read_to}"):
            self._read_to = entry
            for arrival in decode_fields(fields).arrivals or ():
                self._arrived += sum(reading.label is not None for reading in arrival.readings)

    def _walk(self, devices: set[str], added: list[Any]) -> int:
        """Counts the readings of `devices` that are in one of the `added` periods and have no label of their own."""
        count = 0
        for _, fields in self._pages("-") if added else ():
            for arrival in decode_fields(fields).arrivals or ():
                if arrival.device_id not in devices:
                    continue
                periods = [label for label in added if label.device == arrival.device_id]
                count += sum(
                    reading.label is None and any(label.covers(reading.measured_at) for label in periods)
                    for reading in arrival.readings
                )
        return count

    def _pages(self, start: str) -> Any:
        while True:
            page: Any = self._client.xrange(self._key, min=start, count=PAGE_ENTRIES)
            for entry, fields in page:
                yield entry.decode(), fields
            if len(page) < PAGE_ENTRIES:
                return
            start = f"({page[-1][0].decode()}"
