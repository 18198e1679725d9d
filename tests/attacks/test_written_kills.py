"""SIGKILL of Redis between its answer and its write, on Valkey and for every step that keeps a reading."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from tests.attacks.kills import appended_and_killed, killed_while_unwritten, until_dead
from tests.attacks.own_redis import OwnRedis, entry, refused, settings_of
from tests.buffers import make_reader, make_writer
from tests.integration.test_buffer import drain
from zelador.buffer import Outcome, connect_redis
from zelador.buffer.keys import Keys
from zelador.quarantine import Quarantine

pytestmark = [
    pytest.mark.attack_long,
]

ENTRIES = 6_000


def test_an_append_survives_a_kill_of_valkey(tmp_path: Path) -> None:
    server = OwnRedis(tmp_path, "valkey")
    try:
        appended_and_killed(server)
    finally:
        server.client.close()
        server.kill()


def test_a_confirmed_replay_survives_a_kill(one: OwnRedis) -> None:
    """Tests both kinds: a refused message that is decoded again, and a reading that was set aside and waits again."""
    settings = settings_of(one)
    writer = make_writer(settings, Event(), "test")
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


def test_a_confirmed_reading_set_aside_survives_a_kill(one: OwnRedis) -> None:
    settings, stop = settings_of(one), Event()
    settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"pack": 1})})
    make_writer(settings, Event(), "test").append([entry(f"r{number}") for number in range(ENTRIES)], [])
    reader = make_reader(settings, stop, "worker")
    reader.connection.wait = until_dead(one, stop)
    delivered = iter(drain(reader))

    def step() -> str:
        name = next(delivered).stream_id
        reader.settle([Outcome(name, 0, (refused(name.encode(), "a"),))], [])
        return name

    confirmed = killed_while_unwritten(one, step)
    kept = {fields[b"payload"].decode() for _, fields in one.client.xrange(Keys("t").quarantine)}
    assert [name for name in confirmed if name not in kept] == []


def test_a_confirmed_readmission_survives_a_kill(one: OwnRedis) -> None:
    settings = settings_of(one)
    settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"pack": 1})})
    make_writer(settings, Event(), "test").append([entry(f"r{number}") for number in range(ENTRIES)], [])
    reader = make_reader(settings, Event(), "worker")
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
