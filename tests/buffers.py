"""A writer or a reader of the buffer, on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from zelador.buffer import Reader, Writer
from zelador.buffer.connection import RedisConnection
from zelador.settings import Settings

Wait = Callable[[float], object]


def make_writer(settings: Settings, stop: Event, name: str, wait: Wait | None = None) -> Writer:
    return Writer(RedisConnection(settings.redis, stop, wait), settings, name)


def make_reader(settings: Settings, stop: Event, consumer: str, wait: Wait | None = None) -> Reader:
    return Reader(RedisConnection(settings.redis, stop, wait), settings, consumer)
