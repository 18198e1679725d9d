"""Gathers facts about Redis, and the heartbeats in it. Sets one key, and deletes it at once."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import redis

from command.doctor.buffer import RedisFacts
from command.doctor.outage import rate_between
from command.doctor.processes import Beat
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.buffer.repeats import repeating_devices
from zelador.errors import Unavailable
from zelador.heartbeat import EXPIRES_S
from zelador.ledger import LedgerReader, LedgerSnapshot
from zelador.settings import RedisSettings
from zelador.undecodable import UNDECODABLE
from zelador.unread import Unread, merged

LIMIT_S = 3.0  # for one answer
RATE_S = 2.0  # between two reads of the ledger


def connect(settings: RedisSettings) -> redis.Redis:
    """Connects to Redis, even if its sync policy differs from the settings, which is a finding."""
    return connect_redis(
        settings.model_copy(update={"timeout_s": min(LIMIT_S, settings.timeout_s), "durability": "written"})
    )


def look(settings: RedisSettings) -> RedisFacts:
    """Gathers the facts. Does not raise for an error of Redis, which is one of the facts."""
    try:
        with connect(settings) as client:
            info: Any = client.info()
            before = time.time()
            seconds, micros = client.time()
            now = (before + time.time()) / 2
            return RedisFacts(
                info={str(name): str(value) for name, value in info.items()},
                config=_config(client),
                refused_write=_refused(client, settings.prefix),
                seconds_ahead=seconds + micros / 1e6 - now,
                repeating=repeating_devices(client, settings.prefix),
            )
    except (redis.RedisError, OSError, Unavailable) as error:
        return RedisFacts(trouble=str(error) or type(error).__name__)


def beats(settings: RedisSettings) -> list[Beat]:
    """Returns the heartbeats of running processes, with their age by Redis's clock. Raises redis.RedisError.

    Scans all keys, because the index is trimmed by the processes' own clocks, and may miss one whose clock is wrong.
    """
    found = []
    with connect(settings) as client:
        for key in sorted(client.scan_iter(match=Keys(settings.prefix).worker("*", "*"), count=500)):
            with client.pipeline() as pipeline:
                pipeline.hgetall(key)
                pipeline.pttl(key)
                pipeline.time()
                values, left_ms, (seconds, micros) = pipeline.execute()
            if values and left_ms > 0:
                facts = {name.decode(): value.decode() for name, value in values.items()}
                found.append(Beat(facts, EXPIRES_S - left_ms / 1000, seconds + micros / 1e6))
    return found


def unread(settings: RedisSettings) -> list[Unread]:
    """Returns topics that no profile reads, as an ingester or a gate found them. Does not raise."""
    try:
        with connect(settings) as client:
            keys = Keys(settings.prefix)
            stored: Any = client.mget(keys.unread, keys.unread_gate)
            return merged(msgspec.json.decode(each, type=list[Unread]) for each in stored if each)
    except (redis.RedisError, OSError, Unavailable, *UNDECODABLE):
        return []


def standing(settings: RedisSettings) -> LedgerSnapshot | None:
    """Returns the ledger; None if it cannot be read."""
    try:
        with connect(settings) as client:
            return LedgerReader(client, settings.prefix).snapshot()
    except (redis.RedisError, OSError, Unavailable):
        return None


def rate(settings: RedisSettings, over_s: float = RATE_S) -> float | None:
    """Returns the readings per second, from two reads of the ledger; None if it cannot be read."""
    try:
        with connect(settings) as client:
            ledger = LedgerReader(client, settings.prefix)
            first, began = ledger.read().received, time.monotonic()
            time.sleep(over_s)
            return rate_between(first, ledger.read().received, time.monotonic() - began)
    except (redis.RedisError, OSError, Unavailable):
        return None


def _config(client: redis.Redis) -> dict[str, str]:
    try:
        found: Any = client.config_get("*append*", "maxmemory*", "dir")
    except redis.ResponseError:  # forbidden or hidden; or Redis 6.2, which accepts one pattern per call
        try:
            found = {**client.config_get("*append*"), **client.config_get("maxmemory*"), **client.config_get("dir")}
        except redis.ResponseError:
            return {}
    return {_text(name): _text(value) for name, value in found.items()}


def _refused(client: redis.Redis, prefix: str) -> str | None:
    key = Keys(prefix).probe
    try:
        client.set(key, "1", ex=10)
        client.delete(key)
    except redis.ResponseError as error:
        return str(error)
    return None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
