"""Simulated devices: publish readings over MQTT at QoS 1, at a given rate, and track the broker's acknowledgements."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from threading import Event
from typing import Any

import msgspec

from command.demo.scenarios import Sample
from zelador.link import Link, LinkOptions, Outgoing, Publication
from zelador.settings import Settings

MAX_UNACKNOWLEDGED = 500  # messages published and not yet acknowledged
SLICE_S = 0.02  # readings due within this time are published together


class Devices:
    """Publishes for all devices over one MQTT connection, like a gateway. The device ids are in the topics."""

    def __init__(self, settings: Settings, stop: Event, client_id: str) -> None:
        """Raises Unavailable when the broker does not answer."""
        self._settings = settings
        self._stop = stop
        self._link = Link(settings.mqtt, LinkOptions(client_id), stop)
        self._link.open(settings.mqtt.start_patience_s)
        self._in_flight: deque[tuple[Publication, int]] = deque()
        self._unacknowledged = 0
        self.acknowledged = 0

    def message(self, sample: Sample, reading_id: str, with_label: bool) -> Outgoing:
        """Returns the MQTT message of a reading, with field names and scales as in ZELADOR_FIELDS."""
        body: dict[str, Any] = {"id": reading_id}
        if sample.measured_at:
            body["ts"] = sample.measured_at
        for feature in self._settings.features:
            field = self._settings.field(feature)
            body[field.source or feature] = sample.values[feature] / field.scale
        if with_label and sample.label:
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
        """Publishes `messages` at `rate` per second (None: as fast as they are acknowledged) until `until()` is true.

        Calls `sent(n)` right before publishing the n-th message. Returns how many were published. Does not wait for
        the last acknowledgements: call `finish` for that.
        """
        source: Iterator[Outgoing] = iter(messages)
        started, count = time.monotonic(), 0
        while not self._stop.is_set() and not until():
            due = MAX_UNACKNOWLEDGED - self._unacknowledged
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
            self._in_flight.append((self._link.publish(batch), len(batch)))
            self._unacknowledged += len(batch)
            count += len(batch)
            self._settle(0.0)
            if rate is not None:
                self._link.rest(min(SLICE_S, 1 / rate))
        return count

    def finish(self, within_s: float) -> bool:
        """Waits until everything published is acknowledged; False if that takes longer."""
        deadline = time.monotonic() + within_s
        while self._in_flight and time.monotonic() < deadline and not self._stop.is_set():
            self._settle(0.1)
        return not self._in_flight

    def close(self) -> None:
        self._link.close()

    def _settle(self, wait: float) -> None:
        while self._in_flight:
            publication, size = self._in_flight[0]
            if not self._link.confirmed(publication, wait):
                return
            self._in_flight.popleft()
            self._unacknowledged -= size
            self.acknowledged += size
            wait = 0.0
        if wait:
            self._link.rest(wait)
