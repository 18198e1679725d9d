"""An act does what it says, is recorded, and wakes the workers, whoever calls it and wherever they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
import redis

from operations.actor import Actor
from operations.acts import keys, models, selection
from operations.acts import registry as registry_acts
from operations.audit_entry import ActRecord
from operations.audit_file import AuditFile
from operations.audit_stream import MAX_ACTS, AuditMover, AuditStream
from operations.local import local_actor
from registry.registry import Registry
from tests.small_models import select_one, upload
from zelador.buffer.keys import Keys
from zelador.errors import Unavailable
from zelador.settings import ApiSettings, RedisSettings, RegistrySettings, Settings


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    """A registry with one selected model, keys and audit file in a folder of their own."""
    select_one(tmp_path / "registry")
    api = ApiSettings(keys_file=tmp_path / "keys.json")
    registry = RegistrySettings(url=str(tmp_path / "registry"))
    return settings.model_copy(update={"api": api, "registry": registry})


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    found = redis.Redis.from_url(settings.redis.url)
    yield found
    found.close()


@pytest.fixture
def full_redis(here: Settings, client: redis.Redis) -> Iterator[RedisSettings]:
    """A Redis that answers, but refuses every write because its memory is full."""
    client.config_set("maxmemory", "1")
    yield here.redis
    client.config_set("maxmemory", "0")


def recorded(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "audit.jsonl").read_text().splitlines()]


def test_a_command_with_a_redis_wakes_the_workers_and_sends_its_act(
    here: Settings, client: redis.Redis, tmp_path: Path
) -> None:
    names = Keys(here.redis.prefix)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.subscribe(names.selected)
    while client.pubsub_numsub(names.selected)[0][1] == 0:
        channel.get_message(timeout=0.1)
    registry = Registry.open(here.registry)
    made = selection.select(local_actor(here), registry, "small", here.features, why="typed")
    message = next(filter(None, (channel.get_message(timeout=0.5) for _ in range(100))))
    assert message["data"] == str(made.sequence).encode()
    channel.close()
    assert not (tmp_path / "audit.jsonl").exists()
    mover = AuditMover(client, here.redis.prefix, AuditFile(tmp_path / "audit.jsonl", 1 << 20))
    assert (mover.move(), mover.move()) == (1, 0)
    (act,) = recorded(tmp_path)
    assert (act["what"], act["target"]) == ("model selected", "small")
    assert act["who"].endswith("(command line)")
    assert act["after"]["sequence"] == made.sequence
    assert client.xlen(names.audit) == 0


def test_a_command_without_a_redis_writes_the_file_beside_the_keys(here: Settings, tmp_path: Path) -> None:
    away = here.model_copy(update={"redis": RedisSettings(url="redis://127.0.0.1:1/0")})
    registry = Registry.open(away.registry)
    models.amend(local_actor(away), registry, "small", {"notes": "new bearings"}, add=["line-2"])
    (act,) = recorded(tmp_path)
    assert (act["what"], act["after"]) == ("model annotated", {"notes": "new bearings", "tags": ["line-2"]})


def test_nothing_is_done_that_cannot_be_recorded(here: Settings, tmp_path: Path) -> None:
    away = here.model_copy(update={"redis": RedisSettings(url="redis://127.0.0.1:1/0")})
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(Unavailable, match="nothing can be changed now"):
        local_actor(away)


class SlowAudit(AuditFile):
    """Between the first look of an act and its commit, somebody else selects a model."""

    def check(self, is_admin: bool = True) -> None:
        super().check(is_admin)
        Registry.open(str(self._path.with_name("registry"))).select("other", by="somebody else")


@pytest.mark.parametrize("act", ["select", "roll back"])
def test_of_two_selections_at_once_each_names_the_one_that_it_replaced(
    act: str, here: Settings, tmp_path: Path
) -> None:
    """The second record names the model that the first act selected, not the one that was live when its act began."""
    registry = Registry.open(here.registry)
    registry.save("other", upload(), by="test")
    actor = Actor("root", SlowAudit(tmp_path / "audit.jsonl", 1 << 20))
    if act == "select":
        selection.select(actor, registry, "small", here.features)
    else:
        registry.select("other", by="test")
        selection.roll_back(actor, registry, here.features)
    (record,) = recorded(tmp_path)
    assert (record["before"]["model"], record["before"]["by"]) == ("other", "somebody else")
    assert record["after"]["model"] == "small"


ACTS: dict[str, Callable[[Actor, Registry, Settings], object]] = {
    "select": lambda actor, registry, here: selection.select(actor, registry, "small", here.features),
    "amend": lambda actor, registry, here: models.amend(actor, registry, "small", {"notes": "new bearings"}),
    "delete": lambda actor, registry, here: models.delete(actor, registry, "other"),
    "collect": lambda actor, registry, here: registry_acts.collect(actor, registry, 0.0),
    "make a key": lambda actor, registry, here: keys.make(actor, here.api.keys_file, "admin", "", None),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_act_that_redis_would_not_record_changes_nothing(
    act: str, here: Settings, full_redis: RedisSettings, tmp_path: Path
) -> None:
    """A full Redis answers PING but refuses to store an act: the act is not done, because it could not be recorded."""
    registry = Registry.open(here.registry)
    registry.save("other", upload(), by="test")
    before = registry.sync()
    with redis.Redis.from_url(full_redis.url) as client:
        actor = Actor("root", AuditStream(client, full_redis.prefix), via="command line")
        with pytest.raises(Unavailable, match="nothing can be changed now: Redis does not accept writes"):
            ACTS[act](actor, registry, here)
    assert registry.sync() == before
    assert not here.api.keys_file.exists()


def test_a_command_with_a_redis_that_is_full_writes_the_file_beside_the_keys(
    here: Settings, full_redis: RedisSettings, tmp_path: Path
) -> None:
    full = here.model_copy(update={"redis": full_redis})
    selection.select(local_actor(full), Registry.open(full.registry), "small", full.features)
    assert [act["what"] for act in recorded(tmp_path)] == ["model selected"]


def test_a_restarted_server_moves_an_act_that_was_in_progress(
    here: Settings, client: redis.Redis, tmp_path: Path
) -> None:
    stream, names = AuditStream(client, here.redis.prefix), Keys(here.redis.prefix)
    stream.add(ActRecord("root (command line)", "model deleted", "old"))
    file = AuditFile(tmp_path / "audit.jsonl", 1 << 20)
    AuditMover(client, here.redis.prefix, file).move()
    stream.add(ActRecord("root (command line)", "model deleted", "older"))
    client.xreadgroup("admin", "admin", {names.audit: ">"})  # read, then the server died before it was written
    assert AuditMover(client, here.redis.prefix, file).move() == 1
    assert [act["target"] for act in recorded(tmp_path)] == ["old", "older"]


def test_the_stream_is_bounded_and_an_unreadable_act_stops_no_other(
    here: Settings, client: redis.Redis, tmp_path: Path
) -> None:
    stream, names = AuditStream(client, here.redis.prefix), Keys(here.redis.prefix)
    with client.pipeline() as pipeline:
        for _ in range(MAX_ACTS):
            pipeline.xadd(names.audit, {"act": b"{"})
        pipeline.execute()
    stream.add(ActRecord("root (command line)", "model deleted", "x" * 100_000, {"notes": "y" * 100_000}))
    assert client.xlen(names.audit) == MAX_ACTS
    mover = AuditMover(client, here.redis.prefix, AuditFile(tmp_path / "audit.jsonl", 1 << 20))
    assert mover.move() == MAX_ACTS
    assert [act["what"] for act in recorded(tmp_path)] == ["model deleted"]


def test_the_mover_continues_after_errors(here: Settings, client: redis.Redis, tmp_path: Path, eventually) -> None:
    stop = Event()
    mover = AuditMover(client, here.redis.prefix, AuditFile(tmp_path / "audit.jsonl", 1 << 20))
    mover.start(stop)
    AuditStream(client, here.redis.prefix).add(ActRecord("root (command line)", "model deleted", "m"))
    eventually(lambda: (tmp_path / "audit.jsonl").exists() and recorded(tmp_path), "the act in the file")
    stop.set()
    mover.join()
