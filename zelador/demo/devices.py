"""Devices: publish readings over MQTT at QoS 1, at a given rate, and know which the broker has acknowledged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from threading import Event
from typing import Any

import msgspec

from zelador.link import Link, LinkOptions, Outgoing, Publication
from zelador.scenarios import Sample
from zelador.settings import Settings

WINDOW = 500  # messages published and not yet acknowledged
SLICE_S = 0.02  # readings that are due within this time go out together


class Devices:
    """One MQTT connection that speaks for all devices (their names are in the topics, as with a gateway)."""

    def __init__(self, settings: Settings, stop: Event, client_id: str) -> None:
        """Raises Unavailable when the broker does not answer."""
        self._settings = settings
        self._stop = stop
        self._link = Link(settings.mqtt, LinkOptions(client_id), stop)
        self._link.open(settings.mqtt.start_patience_s)
        self._on_the_way: deque[tuple[Publication, int]] = deque()
        self._held = 0
        self.acknowledged = 0

    def message(self, sample: Sample, reading_id: str, with_label: bool) -> Outgoing:
        """The device's message: our features under the names and scales that the field map reads."""
        body: dict[str, Any] = {"id": reading_id}
        if sample.measured_at:
            body["ts"] = sample.measured_at
        for feature in self._settings.features:
            field = self._settings.field(feature)
            body[field.source or feature] = sample.values[feature] / field.scale
        if with_label:
            body["label"] = sample.label
        topic = self._settings.topics.reading.format(device_id=sample.device_id)
        return Outgoing(topic, msgspec.json.encode(body))

    def publish(
        self,
        messages: Iterable[Outgoing],
        rate: float | None,
        sent: Callable[[int], None] = lambda _: None,
        until: Callable[[], bool] = lambda: False,
    ) -> int:
        """Publishes at `rate` a second (None: as fast as it is acknowledged) until they end or `until()`.

        `sent(n)` is called right before the n-th message goes out. Gives how many were published; waits for
        the acknowledgements with `finish`.
        """
        source: Iterator[Outgoing] = iter(messages)
        started, count = time.monotonic(), 0
        while not self._stop.is_set() and not until():
            due = WINDOW - self._held
            if rate is not None:
                due = min(due, int((time.monotonic() - started) * rate) + 1 - count)
            if due <= 0:
                self._settle(SLICE_S)
                continue
            batch = list(islice(source, due))
            if not batch:
                break
            for offset in range(len(batch)):
                sent(count + offset)
            self._on_the_way.append((self._link.publish(batch), len(batch)))
            self._held += len(batch)
            count += len(batch)
            self._settle(0.0)
            if rate is not None:
                self._link.rest(min(SLICE_S, 1 / rate))
        return count

    def finish(self, within_s: float) -> bool:
        """Waits until everything published is acknowledged; False if that takes longer."""
        deadline = time.monotonic() + within_s
        while self._on_the_way and time.monotonic() < deadline and not self._stop.is_set():
            self._settle(0.1)
        return not self._on_the_way

    def close(self) -> None:
        self._link.close()

    def _settle(self, wait: float) -> None:
        while self._on_the_way:
            publication, size = self._on_the_way[0]
            if not self._link.confirmed(publication, wait):
                return
            self._on_the_way.popleft()
            self._held -= size
            self.acknowledged += size
            wait = 0.0
        if wait:
            self._link.rest(wait)
