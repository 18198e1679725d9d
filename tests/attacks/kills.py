"""Kills a Redis that has answered a step but not written it yet, while steps continue."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from threading import Event

import redis

from tests.attacks.own_redis import OwnRedis, entry, settings_of
from tests.buffers import make_reader, make_writer
from tests.integration.test_buffer import drain
from tests.slow_fsync import slow_fsync
from zelador.buffer import Stopping, Writer

KILLS = 2
KILLS_WITHIN_S = 20.0  # how long a test waits for a moment with answered and unwritten bytes


def appended_and_killed(server: OwnRedis) -> None:
    """Everything that an append confirmed is still there after each of KILLS kills between an answer and its write."""
    numbers = itertools.count()
    for _ in range(KILLS):
        stop = Event()
        writer = make_writer(settings_of(server), stop, "test")
        writer.connection.wait = until_dead(server, stop)

        def step(writer: Writer = writer) -> str:
            name = f"r{next(numbers)}"
            writer.append([entry(name)], [])
            return name

        confirmed = killed_while_unwritten(server, step)
        reader = make_reader(settings_of(server), Event(), "worker")
        found = {arrival.readings[0].id for item in drain(reader) for arrival in item.arrivals or ()}
        assert [name for name in confirmed if name not in found] == []


def answers_before_it_writes(server: OwnRedis) -> bool:
    info = server.client.info("persistence")
    return bool(info["aof_pending_bio_fsync"] and info["aof_buffer_length"])


def killed_while_unwritten(server: OwnRedis, step: Callable[[], str]) -> list[str]:
    """Repeats `step`, kills Redis between answer and write, and starts it again. Returns what `step` confirmed."""
    confirmed: list[str] = []
    ends: list[Exception] = []

    def work() -> None:
        try:
            while True:
                confirmed.append(step())
                time.sleep(0.001)  # enough entries to last until the kill
        except Exception as error:  # noqa: BLE001 - shown by the test
            ends.append(error)

    worker = threading.Thread(target=work, daemon=True)
    with slow_fsync(server.process.pid):
        worker.start()
        deadline = time.monotonic() + KILLS_WITHIN_S
        while not (confirmed and answers_before_it_writes(server)):
            assert not ends, f"the steps ended before the kill: {ends[0]!r}"
            assert time.monotonic() < deadline, "Redis never answered before it wrote"
        server.process.kill()
    server.kill()  # it exits once its slow thread runs again
    worker.join(60)
    assert isinstance(ends[0], (redis.RedisError, OSError, Stopping)), repr(ends[0])
    server.start()
    return confirmed


def until_dead(server: OwnRedis, stop: Event) -> Callable[[float], object]:
    """Waits until Redis is dead."""

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        if server.process.poll() is not None:
            stop.set()

    return wait
