"""What each process says of itself: a heartbeat in Redis that expires, so that silence is seen too."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import redis

from zelador.buffer.keys import Keys

log = logging.getLogger(__name__)

EVERY_S = 2.0
EXPIRES_S = 10
FORGOTTEN_S = 3_600  # by then no clock of ours is so wrong that a process of this age is alive


class Heartbeat:
    """Beats from the main loop, so that a loop that hangs falls silent. Never raises, never waits for long."""

    def __init__(self, client: redis.Redis, prefix: str, service: str, instance: str) -> None:
        self._client = client
        self._name = f"{service}:{instance}"
        self._key = Keys(prefix).worker(service, instance)
        self._index = Keys(prefix).workers
        self._fixed = {"service": service, "instance": instance, "pid": os.getpid(), "started_at": _now()}
        self._next = 0.0
        self._said: dict[str, Any] = {}
        self.refusal: str | None = None  # what Redis said to the last one, where it refused to write it

    def beat(self, **facts: object) -> None:
        """Says `facts`, at most every EVERY_S seconds, and at once when one of them changed."""
        now = time.monotonic()
        if now < self._next and facts == self._said:
            return
        self._next, self._said = now + EVERY_S, facts
        at = _now()
        values = {**self._fixed, "at": at, **{key: _text(value) for key, value in facts.items()}}
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.hset(self._key, mapping=values)  # type: ignore[arg-type]
                pipeline.expire(self._key, EXPIRES_S)
                pipeline.zadd(self._index, {self._name: at})
                pipeline.zremrangebyscore(self._index, "-inf", at - FORGOTTEN_S * 1000)
                pipeline.execute()
            self.refusal = None
        except redis.ResponseError as error:
            self.refusal = str(error)
        except (redis.RedisError, OSError) as error:
            log.debug("no heartbeat: %s", error)  # the loop's own calls report that Redis is away

    def stop(self) -> None:
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.delete(self._key)
                pipeline.zrem(self._index, self._name)
                pipeline.execute()
        except (redis.RedisError, OSError) as error:
            log.debug("heartbeat not withdrawn: %s", error)


def workers(client: redis.Redis, prefix: str) -> list[dict[str, str]]:
    """The heartbeats of all processes that are alive, by name. Raises redis.RedisError.

    Two round trips, however many devices Redis knows: the index has the names, and a heartbeat that expired is empty.
    """
    keys = Keys(prefix)
    names: Any = client.zrange(keys.workers, 0, -1)
    with client.pipeline(transaction=False) as pipeline:
        for name in sorted(names):
            pipeline.hgetall(keys.worker(*name.decode().split(":", 1)))
        found: Any = pipeline.execute()
    return [{name.decode(): value.decode() for name, value in values.items()} for values in found if values]


def broker_dropped(found: Sequence[Mapping[str, str]]) -> int | None:
    """What the broker says that it dropped, as the ingesters heard it; None where it does not say."""
    said = [int(worker["broker_dropped"]) for worker in found if worker.get("broker_dropped", "").isdecimal()]
    return max(said) if said else None


def _now() -> int:
    return time.time_ns() // 1_000_000


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
