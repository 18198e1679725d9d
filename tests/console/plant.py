"""A small plant: the real ingester and worker in threads, and a device that publishes over MQTT."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event

import inference.service
import ingest.service
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import Settings

GOOD: Mapping[str, float] = {"lux": 400.0, "temperature": 45.0, "vibration": 0.4}
BAD: Mapping[str, float] = {"lux": 400.0, "temperature": 85.0, "vibration": 5.9}
DEVICES = ("press-07", "mill-03", "pump-12")


class Plant:
    def __init__(self, settings: Settings, device: Link) -> None:
        self._topics = settings.topics
        self._device = device

    def publish(self, values: Mapping[str, float], device: str = "press-07", **more: object) -> None:
        """One reading, acknowledged by the broker."""
        self.raw(json.dumps({**values, **more}).encode(), device)

    def raw(self, payload: bytes, device: str = "press-07") -> None:
        topic = self._topics.reading.format(device_id=device)
        assert self._device.confirmed(self._device.publish([Outgoing(topic, payload)]), 60.0)

    def calm(self) -> None:
        """A good reading of each device."""
        for device in DEVICES:
            self.publish(GOOD, device)


@contextmanager
def running(settings: Settings) -> Iterator[Plant]:
    stop = Event()
    threads = [
        threading.Thread(target=service.run, args=(settings, stop), name=name)
        for name, service in (("ingest", ingest.service), ("inference", inference.service))
    ]
    for thread in threads:
        thread.start()
    device = Link(settings.mqtt, LinkOptions(f"device-{settings.redis.prefix}"), Event())
    device.open(60.0)
    try:
        yield Plant(settings, device)
    finally:
        device.close()
        stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
