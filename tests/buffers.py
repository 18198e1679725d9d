"""A writer or a reader of the buffer, on a connection of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Event

import redis

from archive.dataset.load import load
from archive.dataset.query import Query
from zelador.buffer import Reader, Writer
from zelador.buffer.connection import RedisConnection
from zelador.settings import Settings

Wait = Callable[[float], object]


def make_writer(settings: Settings, stop: Event, name: str, wait: Wait | None = None) -> Writer:
    return Writer(RedisConnection(settings.redis, stop, wait), settings, name)


def make_reader(settings: Settings, stop: Event, consumer: str, wait: Wait | None = None) -> Reader:
    return Reader(RedisConnection(settings.redis, stop, wait), settings, consumer)


def labeled_rows(client: redis.Redis, settings: Settings) -> list[tuple[tuple[float, ...], str, int, str]]:
    """Values, label, time (ms) and device of each labeled reading in the buffer, as training gets them."""
    with tempfile.TemporaryDirectory() as folder:
        limits = settings.datasets.model_copy(update={"cache": Path(folder)})
        local = settings.model_copy(update={"datasets": limits})
        rows = load(client, local, Query(source="buffer"), cached=False).rows
    columns = [rows[f"f{at}"].fill_null(float("nan")).to_pylist() for at in range(len(settings.features))]
    others = (rows[name].to_pylist() for name in ("label", "measured", "device"))
    return list(zip(zip(*columns, strict=True), *others, strict=True))
