"""Zelador knows how durable a Redis is (rights, file, syncing), and reports when it is less than promised."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import httpx
import pytest

from admin import service as api_service
from command.doctor import buffer, buffer_facts
from command.up.ports import HOST, choose
from ingest import service as ingest_service
from tests.attacks.own_redis import OwnRedis, entry, refused, settings_of
from tests.buffers import make_writer
from tests.servers import found_or_skip
from zelador.buffer import Stopping, connect_redis
from zelador.buffer.durability import NotSynced, unsynced
from zelador.buffer.keys import Keys
from zelador.buffer.written import NO_FILE, NO_RIGHT, NotWritten
from zelador.errors import Unavailable
from zelador.ledger import LedgerReader
from zelador.quarantine import Quarantine
from zelador.settings import Settings

ALL = ("+@all",)


def user(server: OwnRedis, *commands: str) -> Settings:
    server.client.acl_setuser("poor", enabled=True, passwords="+secret", keys="*", channels="*", commands=commands)
    return settings_of(server, server.url.replace("redis://", "redis://poor:secret@"))


def test_without_the_right_info_a_batch_is_held_and_the_missing_right_named(
    one: OwnRedis, eventually: Callable
) -> None:
    """Redis executed the step: it must not be confirmed, and must not be repeated once the right is granted."""
    writer = make_writer(user(one, "+@all", "-info"), Event(), "test")
    done: list[object] = []
    thread = threading.Thread(target=lambda: done.append(writer.append([entry("a")], [])), daemon=True)
    thread.start()
    eventually(lambda: writer.connection.error, "the batch to be held")
    assert "+info" in writer.connection.error
    assert writer.confirmer.refused == NO_RIGHT
    assert LedgerReader(one.client, "t").read().accepted == 1
    assert done == []
    one.client.acl_setuser("poor", commands=["+info"], enabled=True)
    thread.join(60)
    assert done[0].accepted == 1
    assert writer.confirmer.refused is None
    assert (LedgerReader(one.client, "t").read().accepted, LedgerReader(one.client, "t").read().repeated) == (1, 0)


def test_a_stop_ends_the_wait(one: OwnRedis) -> None:
    stop = Event()
    writer = make_writer(user(one, "+@all", "-info"), stop, "test")
    writer.connection.wait = lambda _seconds: stop.set()
    with pytest.raises(Stopping):
        writer.append([entry("a")], [])


def test_a_replay_without_the_right_info_is_not_confirmed(one: OwnRedis) -> None:
    settings = user(one, "+@all", "-info")
    make_writer(settings_of(one), Event(), "test").append([], [refused(b"raw")])
    quarantine = Quarantine(connect_redis(settings.redis), settings)
    (kept,) = quarantine.page()
    one.client.xadd(Keys("t").quarantine, {"kind": "set_aside", "features": "a", "payload": "{}", "length": 2})
    (moved, _) = quarantine.page()
    with pytest.raises(NotWritten, match=r"\+info"):
        quarantine.replay(moved.id)
    assert quarantine.replay(kept.id).outcome == "still_refused"


def test_without_an_append_only_file_it_continues_with_a_warning(one: OwnRedis) -> None:
    writer = make_writer(settings_of(one), Event(), "test")
    assert (writer.append([entry("a")], []).accepted, writer.confirmer.remark) == (1, None)
    one.client.config_set("appendonly", "no")
    assert (writer.append([entry("b")], []).accepted, writer.confirmer.remark) == (1, NO_FILE)
    one.client.config_set("appendonly", "yes")
    assert (writer.append([entry("c")], []).accepted, writer.confirmer.remark) == (1, None)


# ── what people are told ─────────────────────────────────────────────────────────────────────


def served(settings: Settings, mqtt_url: str, folder: Path) -> Settings:
    ports = choose(["metrics", "api"], {}, {})
    return settings.model_copy(
        update={
            "mqtt": settings.mqtt.model_copy(update={"url": mqtt_url}),
            "ingest": settings.ingest.model_copy(update={"client_id": f"ingest-{ports['api']}"}),
            "registry": settings.registry.model_copy(update={"url": str(folder / "registry")}),
            "api": settings.api.model_copy(update={"keys_file": folder / "keys.json", "port": ports["api"]}),
            "metrics": settings.metrics.model_copy(update={"port": ports["metrics"]}),
        }
    )


@pytest.fixture
def running() -> Iterator[Callable[..., None]]:
    stop, threads = Event(), list[threading.Thread]()

    def start(run: Callable[[Settings, Event], None], settings: Settings) -> None:
        threads.append(threading.Thread(target=run, args=(settings, stop)))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(60)


def readiness(port: int) -> tuple[int, str]:
    deadline = time.monotonic() + 15
    while True:
        try:
            answer = httpx.get(f"http://{HOST}:{port}/readyz", timeout=5.0)
        except httpx.TransportError:
            assert time.monotonic() < deadline, "nobody answers"
            time.sleep(0.05)
        else:
            return answer.status_code, answer.json()["detail"]


def test_a_missing_right_is_named_by_services_and_doctor(
    one: OwnRedis, mqtt_url: str, tmp_path: Path, running: Callable[..., None]
) -> None:
    settings = served(user(one, *ALL, "-info"), mqtt_url, tmp_path)
    running(ingest_service.run, settings)
    running(api_service.run, settings)
    for port in (settings.metrics.port, settings.api.port):
        status, detail = readiness(port)
        assert (status, "+info" in detail) == (503, True)
    (found,) = buffer.judge(settings.redis, buffer_facts.look(settings.redis), "poor")
    assert (found.state, found.fix) == ("broken", "ACL SETUSER poor +info")


def test_without_a_file_services_start_and_say_so(
    one: OwnRedis, mqtt_url: str, tmp_path: Path, running: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    one.client.config_set("appendonly", "no")
    settings = served(settings_of(one), mqtt_url, tmp_path)
    running(ingest_service.run, settings)
    running(api_service.run, settings)
    for port in (settings.metrics.port, settings.api.port):
        status, detail = readiness(port)
        assert (status, NO_FILE in detail) == (200, True)
    assert caplog.messages.count(NO_FILE) == 2
    states = {found.check: found.state for found in buffer.judge(settings.redis, buffer_facts.look(settings.redis))}
    assert states["redis.appendonly"] == "broken"


# ── synced ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["redis-server", "valkey"])
@pytest.mark.parametrize("durability", ["written", "synced"])
def test_each_step_is_synced_if_the_settings_require_it(tmp_path: Path, kind: str, durability: str) -> None:
    """Syncs are counted from outside, by strace, because a server may claim anything."""
    calls = tmp_path / "calls"
    data = tmp_path / "data"
    data.mkdir()
    strace = (found_or_skip("strace"), "-D", "-f", "-qq", "-o", str(calls), "-e", "trace=fsync,fdatasync")
    server = OwnRedis(data, kind, durability, strace)
    try:
        writer = make_writer(settings_of(server, durability=durability), Event(), "test")
        writer.connection.open(60.0)
        before, began = calls.read_text().count("sync("), time.monotonic()
        for number in range(100):
            writer.append([entry(f"r{number}")], [])
        done, took = calls.read_text().count("sync(") - before, time.monotonic() - began
    finally:
        server.client.close()
        server.kill()
    if durability == "synced":
        assert done >= 100
    else:
        assert done <= took + 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendfsync", "everysec"), ("appendfsync", "no"), ("appendonly", "no"), ("no-appendfsync-on-rewrite", "yes")],
)
def test_services_refuse_a_redis_that_does_not_sync(tmp_path: Path, name: str, value: str) -> None:
    server = OwnRedis(tmp_path, durability="synced")
    try:
        writer = make_writer(settings_of(server, durability="synced"), Event(), "test")
        writer.connection.open(60.0)
        assert writer.append([entry("a")], []).accepted == 1
        server.client.config_set(name, value)
        refused_by = make_writer(settings_of(server, durability="synced"), Event(), "test")
        with pytest.raises(Unavailable, match=f"needs {name} .*redis-cli CONFIG SET {name} "):
            refused_by.connection.open(60.0)
        with pytest.raises(Unavailable, match=name):
            api_service.run(served(settings_of(server, durability="synced"), "mqtt://127.0.0.1:1", tmp_path), Event())
        settings = settings_of(server, durability="synced").redis
        states = {found.check: found.state for found in buffer.judge(settings, buffer_facts.look(settings))}
        assert states["redis.appendfsync"] == "broken"
    finally:
        server.client.close()
        server.kill()


def test_if_config_is_forbidden_synced_is_refused_with_both_fixes(one: OwnRedis) -> None:
    settings = user(one, *ALL, "-config")
    settings = settings.model_copy(update={"redis": settings.redis.model_copy(update={"durability": "synced"})})
    with pytest.raises(Unavailable, match=r"\+config\|get.*written"):
        make_writer(settings, Event(), "test").connection.open(60.0)


def test_a_redis_that_comes_back_without_syncing_stores_nothing(tmp_path: Path, eventually: Callable) -> None:
    """Settings made by hand are lost when Redis restarts, so each new connection checks them."""
    server = OwnRedis(tmp_path)
    try:
        server.client.config_set("appendfsync", "always")
        writer = make_writer(settings_of(server, durability="synced"), Event(), "test")
        writer.connection.open(60.0)
        writer.append([entry("a")], [])
        server.kill()
        server.start()
        thread = threading.Thread(target=lambda: writer.append([entry("b")], []), daemon=True)
        thread.start()
        eventually(lambda: "needs appendfsync always" in (writer.connection.error or ""), "the batch to be held")
        assert LedgerReader(server.client, "t").read().accepted == 1
        server.client.config_set("appendfsync", "always")
        thread.join(60)
        assert LedgerReader(server.client, "t").read().accepted == 2
    finally:
        server.client.close()
        server.kill()


def test_a_client_of_a_redis_that_does_not_sync_raises(one: OwnRedis) -> None:
    with pytest.raises(NotSynced):
        connect_redis(settings_of(one, durability="synced").redis).ping()


def test_what_counts_as_synced() -> None:
    good = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
    assert unsynced(good) is None
    for name in good:
        assert name in (unsynced({key: value for key, value in good.items() if key != name}) or "")
