"""A keeper of states that runs for a while, and a subscriber that hears what it publishes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from threading import Event
from typing import Any

from inference.announce import Keeper
from zelador.alarms.store import DeviceStates
from zelador.buffer import connect_redis
from zelador.link import Link, LinkOptions
from zelador.settings import Settings


class Subscriber:
    """Keeps the newest payload of each topic, like a client that subscribes to retained messages."""

    def __init__(self, settings: Settings, *filters: str) -> None:
        self.link = Link(settings.mqtt, LinkOptions(f"subscriber-{id(self)}", filters), Event())
        self.link.open(60.0)
        self.newest: dict[str, bytes] = {}
        self.all: list[tuple[str, bytes]] = []

    def hear(self) -> dict[str, bytes]:
        batch = self.link.receive(500, 0.02)
        self.link.ack(batch)
        for message in batch:
            self.newest[message.topic] = message.payload
            self.all.append((message.topic, message.payload))
        return self.newest

    def state(self, topic: str) -> dict[str, Any]:
        return json.loads(self.hear().get(topic) or b"{}")  # type: ignore[no-any-return]


@contextlib.contextmanager
def keeping(settings: Settings, name: str = "one") -> Iterator[None]:
    inference = settings.inference.model_copy(update={"instance": f"{settings.redis.prefix}-{name}"})
    stop = Event()
    keeper = Keeper(settings.model_copy(update={"inference": inference}), stop)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def states(settings: Settings) -> DeviceStates:
    return DeviceStates(connect_redis(settings.redis), settings.redis.prefix)
