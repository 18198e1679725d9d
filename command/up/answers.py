"""Checks whether the servers and services of a home answer."""

from __future__ import annotations

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import redis

from command.up.home import DRAIN_S
from zelador import heartbeat
from zelador.buffer import connect_redis
from zelador.ledger import LedgerReader
from zelador.settings import Settings

log = logging.getLogger(__name__)

POLL_S = 0.1
HEALTH_S = 2.0  # time limit for the API's answer
BEATING = ("ingest", "inference", "archive", "trainer")  # services that send heartbeats


def redis_answers(settings: Settings) -> bool:
    with _client(settings) as client:
        try:
            return bool(client.ping())
        except (redis.RedisError, OSError):
            return False


def ingester_connected(settings: Settings, since: int) -> bool:
    """Returns whether an ingester has connected to the broker at `since` (ms since 1970 UTC) or later."""
    with _client(settings) as client:
        try:
            found = heartbeat.workers(client, settings.redis.prefix)
        except (redis.RedisError, OSError):
            return False
    return any(int(each.get("connected_at") or 0) >= since for each in found if each["service"] == "ingest")


def services_answer(settings: Settings, pids: Mapping[str, int | None], api_url: str) -> bool:
    """Returns whether each service has sent a heartbeat since it was started, and the API is healthy."""
    with _client(settings) as client:
        try:
            beating = {int(worker["pid"]) for worker in heartbeat.workers(client, settings.redis.prefix)}
        except (redis.RedisError, OSError):
            return False
    if not {pids[name] for name in BEATING if name in pids} <= beating:
        return False
    try:
        with urllib.request.urlopen(f"{api_url}/healthz", timeout=HEALTH_S) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def let_drain(settings: Settings) -> None:
    """Waits until all waiting readings are classified, at most DRAIN_S, and only while there is progress."""
    deadline = time.monotonic() + DRAIN_S
    with _client(settings) as client:
        ledger = LedgerReader(client, settings.redis.prefix)
        try:
            waiting = ledger.read().waiting
            while waiting and time.monotonic() < deadline:
                time.sleep(POLL_S)
                previous, waiting = waiting, ledger.read().waiting
                if waiting == previous:  # there is no model, or no worker
                    break
        except (redis.RedisError, OSError) as error:
            log.warning("cannot read the ledger: %s", error)


@contextmanager
def _client(settings: Settings) -> Iterator[redis.Redis]:
    client = connect_redis(settings.redis)
    try:
        yield client
    finally:
        client.close()
