"""Devices whose readings are settled, to see the states that Redis keeps of them."""

from __future__ import annotations

import time
from threading import Event
from typing import Any

from zelador.alarms import Rule
from zelador.alarms.state import Record, decode_record
from zelador.buffer import Outcome, Reader, Sighting, Sightings, Writer, connect_redis
from zelador.buffer.connection import RedisConnection
from zelador.buffer.keys import Keys
from zelador.buffer.library import Library
from zelador.clock import now_ms
from zelador.messages import Arrival, Reading
from zelador.settings import Settings

START = 1_795_514_400_000


class Plant:
    """Settles batches with given levels, as workers do."""

    def __init__(self, settings: Settings) -> None:
        self.writer = Writer(RedisConnection(settings.redis, Event()), settings, "test")
        self.workers = [
            Reader(RedisConnection(settings.redis, Event()), settings, f"worker-{number}") for number in (1, 2)
        ]
        self.client = connect_redis(settings.redis)
        self.keys = Keys(settings.redis.prefix)
        self.library = Library(self.client)
        self._number = 0

    def send(self, *devices: str) -> None:
        """A reading of each device is accepted."""
        now = now_ms()
        arrivals = []
        for device in devices:
            self._number += 1
            arrivals.append(Arrival(device, (Reading(f"r{self._number}", (1.0, 2.0, 3.0), now),), now))
        self.writer.append(arrivals, [])

    def settle(self, rule: Rule, *seen: Sighting, worker: int = 0) -> None:
        self.send(*[one.device for one in seen])
        reader = self.workers[worker]
        entries = reader.read(1_000, 0.1) or reader.read(1_000, 0.1)  # the first makes the group
        reader.settle([Outcome(each.stream_id, each.count) for each in entries], [], Sightings.of((rule,), seen))

    def settle_calm(self, rule: Rule, device: str, at: int) -> None:
        self.send(device)
        entries = self.workers[0].read(1_000, 0.1) or self.workers[0].read(1_000, 0.1)
        seen = Sightings((rule,), (), 60.0, ((device,), (at,), ()))
        self.workers[0].settle([Outcome(each.stream_id, each.count) for each in entries], [], seen)

    def see(self, device: str, levels: str, at: int = START, rule: Rule | None = None, worker: int = 0) -> Record:
        """Readings one second apart, from `at`, in one batch."""
        times = tuple(at + 1000 * place for place in range(len(levels)))
        self.settle(rule or Rule(), Sighting(device, levels, times, 1, "yes", 0.9, "r", "model-a"), worker=worker)
        return self.record(device)

    def record(self, device: str) -> Record:
        text: Any = self.client.hget(self.keys.states, device)
        return decode_record(text)

    def sweep(self, silent_ms: int | str = "", limit: int = 1_000) -> list[Any]:
        keys = self.keys
        names = [keys.states, keys.announce, keys.device_events, keys.due, keys.devices, keys.quarantine]
        names.append(keys.silence_seen)
        return list(self.library.call("sweep", names, [limit, silent_ms, keys.device("")]))

    def look_now(self) -> None:
        """Makes every device due for a check."""
        for device in self.client.zrange(self.keys.due, 0, -1):
            self.client.zadd(self.keys.due, {device: 1})

    def heard_before(self, seconds: float, *devices: str) -> None:
        now = time.time() * 1000
        self.client.zadd(self.keys.devices, dict.fromkeys(devices, now - seconds * 1000))

    def act(self, device: str, what: str, until: int | str = "", why: str = "") -> list[str]:
        keys = self.keys
        names = [keys.states, keys.announce, keys.device_events, keys.due, keys.devices]
        return [part.decode() for part in self.library.call("device_act", names, [device, what, "ana", until, why])]

    def events(self) -> list[tuple[str, str, str]]:
        found: Any = self.client.xrange(self.keys.device_events)
        return [tuple(fields[name].decode() for name in (b"device", b"from", b"to")) for _, fields in found]

    def waiting(self) -> dict[str, str]:
        found: Any = self.client.hgetall(self.keys.announce)
        return {device.decode(): version.decode() for device, version in found.items()}

    def in_state(self, state: str) -> list[str]:
        found: Any = self.client.zrange(self.keys.in_state(state), 0, -1)
        return [device.decode() for device in found]
