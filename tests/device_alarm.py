"""A device in alarm, without a model that says so."""

from __future__ import annotations

from threading import Event

from zelador.alarms import Rule
from zelador.buffer import Outcome, Reader, Sighting, Sightings, Writer
from zelador.buffer.connection import RedisConnection
from zelador.clock import now_ms
from zelador.messages import Arrival, Reading
from zelador.settings import Settings


def put_in_alarm(settings: Settings, device: str) -> None:
    now = now_ms()
    Writer(RedisConnection(settings.redis, Event()), settings, "alarm").append(
        [Arrival(device, (Reading("alarm", (1.0, 2.0, 3.0), now),), now)], []
    )
    reader = Reader(RedisConnection(settings.redis, Event()), settings, "alarm")
    entries = reader.read(10_000, 0.1) or reader.read(10_000, 0.1)  # the first makes the group
    seen = Sighting(device, "hhh", (now, now, now), 1, "yes", 0.97, "alarm", "small")
    reader.settle([Outcome(each.stream_id, each.count) for each in entries], [], Sightings.of((Rule(),), (seen,)))
