"""Follows the list of labels in Redis, and answers which label a reading has."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.labels.label import Label, Undone
from zelador.labels.timeline import Timeline
from zelador.messages import Reading
from zelador.undecodable import UNDECODABLE

PAGE_ENTRIES = 2_000

log = logging.getLogger(__name__)

_label = msgspec.json.Decoder(Label).decode
_undone = msgspec.json.Decoder(Undone).decode


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The list of labels at one moment, oldest first. `undone` has those that no longer count, by id."""

    labels: Sequence[Label]
    undone: Mapping[str, Undone]

    def active(self) -> Iterable[Label]:
        return (each for each in self.labels if each.id not in self.undone)


class Labels:
    """Reads only what was added since the last look. May be used from several threads.

    Every call raises redis.RedisError if Redis does not answer.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key = Keys(prefix).labels
        self._lock = Lock()
        self._first = True  # nothing was read yet
        self._clear()

    def _clear(self) -> None:
        self._last = b""  # the newest entry that was read
        self._labels: dict[str, Label] = {}
        self._undone: dict[str, Undone] = {}
        self._by_device: dict[str, dict[str, Label]] = {}  # those that count
        self._timelines: dict[str, Timeline] = {}

    def snapshot(self) -> Snapshot:
        with self._lock:
            self._follow()
            return Snapshot(tuple(self._labels.values()), dict(self._undone))

    def stretches(self, device: str) -> list[tuple[int, int | None, str]]:
        """Start, end (None: until further notice) and label of each stretch of a device that has a label, in order."""
        with self._lock:
            self._follow()
            return list(self._timeline(device).stretches()) if device in self._by_device else []

    def labels_in(self, device: str, begin: int, end: int) -> list[str]:
        """The different labels that a device has in a period (ms since 1970 UTC), in order."""
        with self._lock:
            self._follow()
            return self._timeline(device).labels_in(begin, end) if device in self._by_device else []

    def of(
        self, readings: Sequence[tuple[str, Reading]], own: Sequence[str | None], look: bool = True
    ) -> list[str | None]:
        """The label of each reading of a device: the one given afterwards, else its `own`.

        Without `look`, the list is not read again, so that several calls see the same labels.
        """
        with self._lock:
            if look or self._first:
                self._follow()
            if not self._by_device:
                return list(own)
            found = list(own)
            for place, (device, reading) in enumerate(readings):
                if device in self._by_device:
                    label = self._timeline(device).at(reading.measured_at)
                    if label is not None:
                        found[place] = label
            return found

    def _timeline(self, device: str) -> Timeline:
        found = self._timelines.get(device)
        if found is None:
            found = self._timelines[device] = Timeline(tuple(self._by_device[device].values()))
        return found

    def _follow(self) -> None:
        """Reads new entries, and the last known one again: without it this is another Redis, or an earlier state."""
        while True:
            page: Any = self._client.xrange(self._key, min=self._last.decode() or "-", count=PAGE_ENTRIES)
            if self._last and (not page or page[0][0] != self._last):
                self._clear()
                continue
            for entry, fields in page[1:] if self._last else page:
                try:
                    self._take(fields)
                except UNDECODABLE as error:
                    log.error("the label %s in Redis cannot be read and does not count: %s", entry.decode(), error)
            if page:
                self._last = page[-1][0]
            if len(page) < PAGE_ENTRIES:
                self._first = False
                return

    def _take(self, fields: Mapping[bytes, bytes]) -> None:
        if (raw := fields.get(b"label")) is not None:
            label = _label(raw)
            self._labels[label.id] = label
            self._by_device.setdefault(label.device, {})[label.id] = label
            self._timelines.pop(label.device, None)
        elif (raw := fields.get(b"undone")) is not None:
            undone = _undone(raw)
            self._undone[undone.id] = undone
            if (label_of := self._labels.get(undone.id)) is not None:
                counting = self._by_device.get(label_of.device, {})
                counting.pop(undone.id, None)
                self._timelines.pop(label_of.device, None)
                if not counting:
                    self._by_device.pop(label_of.device, None)
