"""Detects a Redis that answers but refuses writes: full, read-only, or unable to write to its disk.

While no readings arrive nothing else shows this: reads and PING still work.
"""

from __future__ import annotations

import threading
import time

import redis

from zelador.buffer.keys import Keys

EVERY_S = 2.0
EXPIRES_S = 10


class WriteProbe:
    """Writes one small key, at most every EVERY_S seconds. Thread-safe."""

    def __init__(self, client: redis.Redis, prefix: str, every_s: float = EVERY_S) -> None:
        self._client = client
        self._key = Keys(prefix).probe
        self._every_s = every_s
        self._lock = threading.Lock()
        self._next = 0.0
        self._refusal: str | None = None

    def refusal(self) -> str | None:
        """The error of a refused write; None if writes work. Raises redis.RedisError if Redis does not answer."""
        with self._lock:
            if time.monotonic() >= self._next:
                self._refusal = None
                try:
                    self._client.set(self._key, "1", ex=EXPIRES_S)
                except redis.ResponseError as error:
                    self._refusal = str(error)
                self._next = time.monotonic() + self._every_s
            return self._refusal
