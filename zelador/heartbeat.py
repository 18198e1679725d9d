"""Heartbeats: each process writes facts about itself to Redis. They expire, so a dead process is noticed."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from zelador.buffer.keys import Keys
from zelador.clock import now_ms

log = logging.getLogger(__name__)

EVERY_S = 2.0
EXPIRES_S = 10
FORGOTTEN_S = 3_600  # after this time without a heartbeat a process is dead, even if clocks differ


class Heartbeat:
    """Sends heartbeats from the main loop, so that they stop if the loop hangs. Never raises, never blocks for long."""

    def __init__(self, client: redis.Redis, prefix: str, service: str, instance: str) -> None:
        self._client = client
        self._name = f"{service}:{instance}"
        self._key = Keys(prefix).worker(service, instance)
        self._index = Keys(prefix).workers
        self._run = uuid.uuid4().hex
        self._fixed = {
            "service": service, "instance": instance, "pid": os.getpid(), "started_at": now_ms(), "run": self._run
        }  # fmt: skip
        self._has_beaten = False
        self.rival_at = 0  # when another process last wrote under this name; ms since 1970, 0 if none did
        self._next = 0.0
        self._sent: dict[str, Any] = {}
        self.refusal: str | None = None  # the error, if Redis refused to write the last one

    def beat(self, figures: Callable[[], Mapping[str, object]] = dict, **facts: object) -> None:
        """Sends `facts`: at once if they changed, else every EVERY_S seconds.

        `figures` change all the time, so they are computed only when something is sent.
        """
        now = time.monotonic()
        if now < self._next and facts == self._sent:
            return
        self._next, self._sent = now + EVERY_S, facts
        at = now_ms()
        values = {
            **self._fixed,
            "at": at,
            "rival_at": self.rival_at,
            **{key: _text(value) for key, value in {**figures(), **facts}.items()},
        }
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.hget(self._key, "run")
                pipeline.hset(self._key, mapping=values)  # type: ignore[arg-type]
                pipeline.expire(self._key, EXPIRES_S)
                pipeline.zadd(self._index, {self._name: at})
                pipeline.zremrangebyscore(self._index, "-inf", at - FORGOTTEN_S * 1000)
                before, *_ = pipeline.execute()
            self.refusal = None
            if self._has_beaten and before is not None and before.decode() != self._run:
                self.rival_at = at
            self._has_beaten = True
        except redis.ResponseError as error:
            self.refusal = str(error)
        except (redis.RedisError, OSError) as error:
            log.debug("no heartbeat: %s", error)  # the loop's own calls report that Redis is down

    def stop(self) -> None:
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.delete(self._key)
                pipeline.zrem(self._index, self._name)
                pipeline.execute()
        except (redis.RedisError, OSError) as error:
            log.debug("heartbeat not withdrawn: %s", error)


def workers(client: redis.Redis, prefix: str) -> list[dict[str, str]]:
    """The heartbeats of all running processes, by name. Raises redis.RedisError.

    It takes two round trips, however many devices there are: the index has the names; an expired heartbeat is empty.
    """
    keys = Keys(prefix)
    names: Any = client.zrange(keys.workers, 0, -1)
    with client.pipeline(transaction=False) as pipeline:
        for name in sorted(names):
            pipeline.hgetall(keys.worker(*name.decode().split(":", 1)))
        found: Any = pipeline.execute()
    return [{name.decode(): value.decode() for name, value in values.items()} for values in found if values]


def broker_dropped(found: Sequence[Mapping[str, str]]) -> int | None:
    """The number of messages that the broker dropped, as the ingesters received it; None if it is not known."""
    dropped = [int(worker["broker_dropped"]) for worker in found if worker.get("broker_dropped", "").isdecimal()]
    return max(dropped) if dropped else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
