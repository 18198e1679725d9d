"""Redis on a full file system: nothing more is acknowledged, and acknowledged data is written once there is space."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
import redis

from tests.attacks.own_redis import OwnRedis, entry, settings_of
from tests.buffers import make_reader, make_writer
from tests.integration.test_buffer import drain
from zelador.buffer import Stopping, Writer
from zelador.buffer.written import persistence

STEP = 200  # readings


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder))
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"a file system cannot be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


def make_room(folder: Path) -> None:
    _mount("-o", "remount,size=64m", str(folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=10, capture_output=True)


def fill(writer: Writer, stop: Event) -> list[str]:
    """Appends until Redis refuses; returns what was confirmed."""
    confirmed: list[str] = []
    writer.connection.wait = lambda _seconds: stop.set()
    with contextlib.suppress(Stopping):
        for step in itertools.count():
            names = [f"r{step}-{number}" for number in range(STEP)]
            writer.append([entry(name) for name in names], [])
            confirmed += names
    return confirmed


def stored(server: OwnRedis) -> set[str]:
    reader = make_reader(settings_of(server), Event(), "worker")
    return {arrival.readings[0].id for item in drain(reader) for arrival in item.arrivals or ()}


def test_killing_a_redis_with_a_full_disk_costs_at_most_one_step(small: Path) -> None:
    """The step whose write failed was answered before the write: docs/reliability.md says so."""
    server = OwnRedis(small)
    try:
        stop = Event()
        confirmed = fill(make_writer(settings_of(server), stop, "test"), stop)
        assert "free space" in (persistence(server.client)[0] or "")
        server.kill()
        make_room(small)
        server.start()
        found = stored(server)
        assert [name for name in confirmed[:-STEP] if name not in found] == []
        assert len(confirmed) > 10 * STEP
    finally:
        server.client.close()
        server.kill()


def test_once_there_is_space_everything_acknowledged_is_written(small: Path, eventually: Callable[..., None]) -> None:
    server = OwnRedis(small)
    try:
        stop = Event()
        writer = make_writer(settings_of(server), stop, "test")
        confirmed = fill(writer, stop)
        stop.clear()
        writer.connection.wait = lambda seconds: Event().wait(seconds)
        held: list[object] = []
        thread = threading.Thread(target=lambda: held.append(writer.append([entry("held")], [])), daemon=True)
        thread.start()
        eventually(lambda: writer.connection.error, "the batch to be held")
        assert held == []
        make_room(small)
        thread.join(60)
        server.kill()
        server.start()
        assert {*confirmed, "held"} <= stored(server)
    finally:
        server.client.close()
        server.kill()


def test_a_synced_redis_exits_instead_of_answering(small: Path) -> None:
    server = OwnRedis(small, durability="synced")
    try:
        stop = Event()
        confirmed = fill(make_writer(settings_of(server, durability="synced"), stop, "test"), stop)
        server.process.wait(60)
        make_room(small)
        server.start()
        assert set(confirmed) <= stored(server)
    finally:
        with contextlib.suppress(redis.RedisError, OSError):
            server.client.close()
        server.kill()
