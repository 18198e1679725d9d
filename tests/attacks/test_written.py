"""SIGKILL of Redis between its answer and its write: nothing that was acknowledged may be lost."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from threading import Event

import pytest
import redis

from tests.attacks.own_redis import OwnRedis, entry, refused, settings_of
from tests.integration.test_buffer import drain
from tests.slow_fsync import slow_fsync
from zelador.buffer import Outcome, Reader, Stopping, Writer, connect_redis
from zelador.buffer import written as module
from zelador.buffer.keys import Keys
from zelador.buffer.written import NO_RIGHT, Confirmer, NotWritten, unwritten
from zelador.quarantine import Quarantine

ENTRIES = 6_000
KILLS_WITHIN_S = 20.0  # how long a test waits for a moment with answered and unwritten bytes


def answers_before_it_writes(server: OwnRedis) -> bool:
    info = server.client.info("persistence")
    return bool(info["aof_pending_bio_fsync"] and info["aof_buffer_length"])


def killed_while_unwritten(server: OwnRedis, step: Callable[[], str]) -> list[str]:
    """Repeats `step`, kills Redis while it has answered and not written, starts it; gives what `step` confirmed."""
    confirmed: list[str] = []
    ends: list[Exception] = []

    def work() -> None:
        try:
            while True:
                confirmed.append(step())
                time.sleep(0.001)  # so that the entries last until the kill
        except Exception as error:  # noqa: BLE001 - shown by the test
            ends.append(error)

    worker = threading.Thread(target=work, daemon=True)
    with slow_fsync(server.process.pid):
        worker.start()
        deadline = time.monotonic() + KILLS_WITHIN_S
        while not (confirmed and answers_before_it_writes(server)):
            assert not ends, f"the steps ended before the kill: {ends[0]!r}"
            assert time.monotonic() < deadline, "Redis never answered before it wrote"
        server.kill()
    worker.join(10)
    assert isinstance(ends[0], (redis.RedisError, OSError, Stopping)), repr(ends[0])
    server.start()
    return confirmed


def until_dead(server: OwnRedis, stop: Event) -> Callable[[float], object]:
    """Waits, and ends the waiting once Redis is dead."""

    def wait(seconds: float) -> None:
        time.sleep(seconds)
        if server.process.poll() is not None:
            stop.set()

    return wait


def test_an_append_that_was_confirmed_outlives_a_kill(own: OwnRedis) -> None:
    stop = Event()
    writer, numbers = Writer(settings_of(own), stop, "test"), itertools.count()

    def step() -> str:
        name = f"r{next(numbers)}"
        writer.append([entry(name)], [])
        return name

    writer.patient.wait = until_dead(own, stop)
    confirmed = killed_while_unwritten(own, step)
    reader = Reader(settings_of(own), Event(), "worker")
    found = {a.readings[0].id for d in drain(reader) for a in d.arrivals or ()}
    assert [name for name in confirmed if name not in found] == []


def test_a_replay_that_was_confirmed_outlives_a_kill(one: OwnRedis) -> None:
    """Both ways: a refused message that is read again, and a reading that was set aside and waits again."""
    settings = settings_of(one)
    writer = Writer(settings, Event(), "test")
    bad = refused(b'{"lux": 1, "temperature": 2, "vibration": 0.5}')
    writer.append([], [bad] * ENTRIES)
    quarantine = Quarantine(connect_redis(settings.redis), settings)
    entries = iter(list(one.client.xrange(Keys("t").quarantine)))

    def step() -> str:
        name = next(entries)[0].decode()
        assert quarantine.replay(name).outcome == "accepted"
        return name

    confirmed = killed_while_unwritten(one, step)
    left = {name.decode() for name, _ in one.client.xrange(Keys("t").quarantine)}
    assert [name for name in confirmed if name in left] == []


def test_what_was_set_aside_and_confirmed_outlives_a_kill(one: OwnRedis) -> None:
    settings, stop = settings_of(one), Event()
    settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"pack": 1})})
    Writer(settings, Event(), "test").append([entry(f"r{number}") for number in range(ENTRIES)], [])
    reader = Reader(settings, stop, "worker")
    reader.patient.wait = until_dead(one, stop)
    delivered = iter(drain(reader))

    def step() -> str:
        name = next(delivered).stream_id
        reader.settle([Outcome(name, 0, (refused(name.encode(), "a"),))], [])
        return name

    confirmed = killed_while_unwritten(one, step)
    kept = {fields[b"payload"].decode() for _, fields in one.client.xrange(Keys("t").quarantine)}
    assert [name for name in confirmed if name not in kept] == []


def test_what_was_put_back_and_confirmed_outlives_a_kill(one: OwnRedis) -> None:
    settings = settings_of(one)
    settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"pack": 1})})
    Writer(settings, Event(), "test").append([entry(f"r{number}") for number in range(ENTRIES)], [])
    reader = Reader(settings, Event(), "worker")
    item = refused(b"{}", "a")
    reader.settle([Outcome(delivered.stream_id, 0, (item,)) for delivered in drain(reader)], [])
    quarantine = Quarantine(connect_redis(settings.redis), settings)
    entries = iter(list(one.client.xrange(Keys("t").quarantine)))

    def step() -> str:
        name = next(entries)[0].decode()
        assert quarantine.replay(name).outcome == "waiting"
        return name

    confirmed = killed_while_unwritten(one, step)
    left = {name.decode() for name, _ in one.client.xrange(Keys("t").quarantine)}
    assert [name for name in confirmed if name in left] == []


def test_what_is_written_costs_no_second_round_trip(one: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(settings_of(one), Event(), "test")
    writer.append([entry("a")], [])
    monkeypatch.setattr(writer._confirmer, "_hold", lambda _run: pytest.fail("asked again"))
    for number in range(20):
        while one.client.info("persistence")["aof_pending_bio_fsync"]:
            time.sleep(0.01)
        assert writer.append([entry(f"b{number}")], []).accepted == 1


def test_another_run_of_redis_confirms_nothing(one: OwnRedis) -> None:
    """Redis is killed while a batch is held and back at once: it has written all that it has, and lacks the batch."""
    confirmer = Confirmer(one.client)
    run = one.client.info("server")["run_id"]
    confirmer.confirm(f"later {run}".encode())
    one.kill()
    one.start()
    with pytest.raises(NotWritten, match="restarted"):
        confirmer.confirm(f"later {run}".encode())


def test_holding_has_a_limit_and_keeps_a_session_alive(one: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    confirmer = Confirmer(one.client, waits.append)
    monkeypatch.setattr(module, "LIMIT_S", 0.3)
    monkeypatch.setattr(module, "unwritten", lambda *_: "not yet")
    began = time.monotonic()
    with pytest.raises(NotWritten, match="not yet"):
        confirmer.confirm(b"later ")
    assert time.monotonic() - began >= 0.3
    assert 5 < len(waits) < 60  # told to stop, `wait` returns at once: Redis is not asked without a pause


GOOD = {
    "run_id": "a", "aof_enabled": 1, "aof_last_write_status": "ok", "aof_pending_bio_fsync": 0, "aof_buffer_length": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, None),
        ({"aof_pending_bio_fsync": 1}, None),
        ({"aof_buffer_length": 9}, None),
        ({"aof_pending_bio_fsync": 2, "aof_buffer_length": 9}, "9 bytes"),
        ({"aof_last_write_status": "err"}, "make room"),
        ({"run_id": "b"}, "restarted"),
        ({"aof_enabled": 0, "aof_pending_bio_fsync": 1, "aof_buffer_length": 9}, None),
    ],
)
def test_what_counts_as_written(told: dict[str, object], reason: str | None) -> None:
    said = unwritten({**GOOD, **told}, "a")
    assert said == reason or (reason is not None and said is not None and reason in said)


@pytest.mark.parametrize("absent", ["aof_last_write_status", "aof_pending_bio_fsync", "aof_buffer_length"])
def test_a_service_that_hides_a_field_is_not_believed(absent: str) -> None:
    assert unwritten({key: value for key, value in GOOD.items() if key != absent}, "a") == NO_RIGHT
