"""Stores the topics that no profile reads, as the gate counts them, for the doctor."""

from __future__ import annotations

import logging
import time

import msgspec
import redis

from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.settings import Settings
from zelador.unread import UnreadTopics

log = logging.getLogger(__name__)

EVERY_S = 10.0
KEPT_S = 86_400


class UnreadRecord:
    """The topics that no profile reads. The gate's thread counts into `topics`; the supervisor's thread stores them."""

    def __init__(self, settings: Settings) -> None:
        self.topics = UnreadTopics(settings)
        self._redis = settings.redis
        self._stored: bytes | None = None
        self._next = 0.0

    def step(self) -> None:
        """Stores changes, at most every EVERY_S. The first call clears the topics of an earlier start."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        found = msgspec.json.encode(self.topics.found())
        if found == self._stored:
            return
        client = connect_redis(self._redis)
        try:
            client.set(Keys(self._redis.prefix).unread_gate, found, ex=KEPT_S)
            self._stored = found
        except (redis.RedisError, OSError) as error:
            log.debug("could not store which topics no profile reads: %s", error)
        finally:
            client.close()
