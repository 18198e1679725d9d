"""Counts the readings that were labeled since a moment: in their message, or later by a period."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec
import redis

from archive.dataset.touched import ArchivedCounts
from operations.views.labels import ReadingTimes
from zelador.buffer import history
from zelador.buffer.entry import decode_fields
from zelador.labels import Label, Labels
from zelador.settings import Settings


class NewLabels:
    """Counts readings that arrived with a label, and readings, in the archive and the buffer, in a period that was
    labeled since. Each counts once. Arrivals are read once.
    """

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._prefix = settings.redis.prefix
        self._labels = Labels(client, settings.redis.prefix)
        self._times = ReadingTimes(client, settings.redis.prefix, ArchivedCounts(settings), rest=0.0)
        self._since = -1
        self._read_to = "0-0"
        self._arrived: dict[str, array[int]] = {}  # by device, when readings with a label were measured, in order

    def since(self, moment: int) -> int:
        """Returns the number of readings labeled since `moment` (ms since 1970 UTC). Raises redis.RedisError."""
        if moment != self._since:
            self._since, self._read_to, self._arrived = moment, f"{moment}-0", {}
        self._read_arrived()
        added = merged(label for label in self._labels.snapshot().active() if label.at >= moment)
        count = sum(map(len, self._arrived.values())) + sum(self._times.touched(added).values())
        return count - sum(_within(self._arrived.get(label.device, array("q")), label) for label in added)

    def _read_arrived(self) -> None:
        for entry, fields in chain.from_iterable(history.pages(self._client, self._prefix, f"({self._read_to}")):
            self._read_to = entry.decode()
            for arrival in decode_fields(fields).arrivals or ():
                for reading in arrival.readings:
                    if reading.label is not None:
                        insort(self._arrived.setdefault(arrival.device_id, array("q")), reading.measured_at)


def merged(labels: Iterable[Label]) -> list[Label]:
    """Returns periods that cover the same moments, none of which overlaps another of its device. Pure."""
    found: list[Label] = []
    for label in sorted(labels, key=lambda each: (each.device, each.begin)):
        last = found[-1] if found else None
        if last is None or last.device != label.device or (last.end is not None and label.begin > last.end):
            found.append(msgspec.structs.replace(label, id=str(len(found))))
        elif last.end is not None and (label.end is None or label.end > last.end):
            found[-1] = msgspec.structs.replace(last, end=label.end)
    return found


def _within(times: Sequence[int], label: Label) -> int:
    end = len(times) if label.end is None else bisect_left(times, label.end)
    return end - bisect_left(times, label.begin)
