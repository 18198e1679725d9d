"""Running processes are read from an index: Redis may have 100,000 devices, and their keys are never scanned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from zelador.buffer.keys import Keys
from zelador.heartbeat import Heartbeat, workers
from zelador.settings import Settings


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    found = redis.Redis.from_url(settings.redis.url)
    yield found
    found.close()


def scans(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_scan", {}).get("calls", 0))


def test_running_processes_are_found_without_a_scan(client: redis.Redis, mark: str) -> None:
    before = scans(client)
    for service in ("ingest", "inference"):
        Heartbeat(client, mark, service, "host:1").beat(connected_at=1)  # an instance's name may contain a colon
    assert [(worker["service"], worker["instance"]) for worker in workers(client, mark)] == [
        ("inference", "host:1"),
        ("ingest", "host:1"),
    ]
    assert scans(client) == before


def test_a_process_that_stopped_or_expired_is_not_alive(client: redis.Redis, mark: str) -> None:
    stopped, died = Heartbeat(client, mark, "ingest", "1"), Heartbeat(client, mark, "inference", "1")
    stopped.beat()
    died.beat()
    stopped.stop()
    client.delete(Keys(mark).worker("inference", "1"))  # as its expiry does
    assert workers(client, mark) == []
    assert client.zcard(Keys(mark).workers) == 1


def test_the_index_does_not_grow_with_instances_long_gone(client: redis.Redis, mark: str) -> None:
    client.zadd(Keys(mark).workers, {f"inference:replica-{number}": number for number in range(50)})
    Heartbeat(client, mark, "inference", "now").beat()
    assert client.zrange(Keys(mark).workers, 0, -1) == [b"inference:now"]
