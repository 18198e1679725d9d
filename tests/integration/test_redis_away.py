"""Redis is away, full, or back: nothing is acknowledged in the meantime, and everything continues automatically."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import redis

from command.up.ports import HOST, choose
from command.up.servers import redis_server
from tests.buffers import make_reader, make_writer
from zelador.buffer import Stopping
from zelador.errors import Unavailable
from zelador.messages import Arrival, Reading
from zelador.settings import RedisSettings, Settings


class OwnRedis:
    """A server that a test may kill."""

    def __init__(self, folder: Path) -> None:
        self.port = choose(["redis"], {}, {})["redis"]
        self._command = redis_server(folder, self.port).command
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=2)

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(60)


def entry(name: str) -> Arrival:
    return Arrival("d", (Reading(name, (1.0, 2.0, 3.0), 1_000),), 1_000)


def test_a_batch_waits_for_redis_and_is_stored_once(own: OwnRedis, mark: str) -> None:
    settings = Settings(redis=RedisSettings(url=own.url, prefix=mark, timeout_s=1.0))
    writer = make_writer(settings, Event(), "test")
    writer.connection.open(60.0)
    writer.append([entry("before")], [])
    own.kill()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            own.start()
        Event().wait(seconds)

    writer.connection.wait = wait
    done = writer.append([entry("meanwhile")], [])
    assert (done.accepted, done.repeated) == (1, 0)
    assert len(waits) >= 3
    reader = make_reader(settings, Event(), "worker")
    got = [delivered for _ in range(4) for delivered in reader.read(10, 0.1)]
    assert [a.readings[0].id for d in got for a in d.arrivals] == ["before", "meanwhile"]


def test_a_full_redis_is_waited_for(own: OwnRedis, mark: str) -> None:
    settings = Settings(redis=RedisSettings(url=own.url, prefix=mark, timeout_s=1.0))
    writer = make_writer(settings, Event(), "test")
    writer.connection.open(60.0)
    writer.append([entry("first")], [])
    client = own.client()
    client.config_set("maxmemory", "1")
    freed = threading.Event()

    def free(_seconds: float) -> None:
        client.config_set("maxmemory", "0")
        freed.set()

    writer.connection.wait = free
    assert writer.append([entry("second")], []).accepted == 1
    assert freed.is_set()
    client.close()


def test_a_stop_while_redis_is_away_ends_the_waiting(own: OwnRedis, mark: str) -> None:
    stop = Event()
    settings = Settings(redis=RedisSettings(url=own.url, prefix=mark, timeout_s=1.0))
    writer = make_writer(settings, stop, "test")
    writer.connection.open(60.0)
    own.kill()
    writer.connection.wait = lambda _seconds: stop.set()
    with pytest.raises(Stopping, match="asked to stop while waiting to store readings"):
        writer.append([entry("never stored")], [])


def test_a_missing_redis_at_the_start_gives_one_clear_sentence(mark: str) -> None:
    settings = Settings(redis=RedisSettings(url="redis://:secret@127.0.0.1:1/0", prefix=mark, timeout_s=0.5))
    with pytest.raises(Unavailable, match=r"no Redis answers at .* ZELADOR_REDIS__URL") as error:
        make_writer(settings, Event(), "test").connection.open(0.2)
    assert "secret" not in str(error.value)
