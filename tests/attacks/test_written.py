"""SIGKILL of Redis between its answer and its write: nothing that was acknowledged may be lost."""

from __future__ import annotations

import time
from threading import Event

import pytest

from tests.attacks.kills import appended_and_killed
from tests.attacks.own_redis import OwnRedis, entry, settings_of
from tests.buffers import make_writer
from zelador.buffer import written as module
from zelador.buffer.written import NO_RIGHT, Confirmer, NotWritten, unwritten


def test_a_confirmed_append_survives_a_kill(one: OwnRedis) -> None:
    appended_and_killed(one)


def test_written_steps_cost_no_second_round_trip(one: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = make_writer(settings_of(one), Event(), "test")
    writer.append([entry("a")], [])
    monkeypatch.setattr(writer._confirmer, "_hold", lambda _run: pytest.fail("asked again"))
    for number in range(20):
        while one.client.info("persistence")["aof_pending_bio_fsync"]:
            time.sleep(0.01)
        assert writer.append([entry(f"b{number}")], []).accepted == 1


def test_another_run_of_redis_confirms_nothing(one: OwnRedis) -> None:
    """Redis is killed while a batch is held, and restarts at once: it has written all its data, without the batch."""
    confirmer = Confirmer(one.client)
    run = one.client.info("server")["run_id"]
    confirmer.confirm(f"later {run}".encode())
    one.kill()
    one.start()
    with pytest.raises(NotWritten, match="restarted"):
        confirmer.confirm(f"later {run}".encode())


def test_waiting_has_a_limit_and_keeps_a_session_alive(one: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    confirmer = Confirmer(one.client, waits.append)
    monkeypatch.setattr(module, "LIMIT_S", 0.3)
    monkeypatch.setattr(module, "unwritten", lambda *_: "not yet")
    began = time.monotonic()
    with pytest.raises(NotWritten, match="not yet"):
        confirmer.confirm(b"later ")
    assert time.monotonic() - began >= 0.3
    assert 5 < len(waits) < 60  # when asked to stop, `wait` returns at once, but Redis is not asked without a pause


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
        ({"aof_last_write_status": "err"}, "free space"),
        ({"run_id": "b"}, "restarted"),
        ({"aof_enabled": 0, "aof_pending_bio_fsync": 1, "aof_buffer_length": 9}, None),
    ],
)
def test_what_counts_as_written(told: dict[str, object], reason: str | None) -> None:
    said = unwritten({**GOOD, **told}, "a")
    assert said == reason or (reason is not None and said is not None and reason in said)


@pytest.mark.parametrize("absent", ["aof_last_write_status", "aof_pending_bio_fsync", "aof_buffer_length"])
def test_a_service_that_hides_a_field_is_not_trusted(absent: str) -> None:
    assert unwritten({key: value for key, value in GOOD.items() if key != absent}, "a") == NO_RIGHT
