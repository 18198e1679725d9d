"""Many devices that publish readings at a rate that can be changed."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings

GOOD = {"lux": 400.0, "temperature": 45.0, "vibration": 0.4}


@dataclass(slots=True)
class Plant:
    """Publishes readings of `devices` devices, `rate` a second in all. Others may publish meanwhile."""

    link: Link
    devices: int
    rate: float = 0.0
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)  # a link is for one thread at a time

    def publish(self, device: str, values: dict[str, float]) -> None:
        payload = json.dumps({**values, "ts": time.time_ns() // 1_000_000}).encode()
        with self._lock:
            self.link.publish([Outgoing(f"sensors/{device}/reading", payload)])
            self.sent += 1

    def run(self, stop: Event) -> None:
        due = time.monotonic()
        while not stop.is_set():
            if not self.rate:
                stop.wait(0.05)
                due = time.monotonic()
                continue
            due += 1 / self.rate
            wait = due - time.monotonic()
            if wait > 0:
                stop.wait(wait)
            self.publish(f"d-{self.sent % self.devices:04d}", GOOD)


@contextlib.contextmanager
def publishing(mqtt_url: str, devices: int) -> Iterator[Plant]:
    """Yields a plant that publishes to the broker on a separate thread."""
    stop = Event()
    link = Link(MqttSettings(url=mqtt_url), LinkOptions("benchmark-devices"), Event())
    link.open(10.0)
    plant = Plant(link, devices)
    thread = threading.Thread(target=plant.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield plant
    finally:
        stop.set()
        thread.join(10)
        link.close()
