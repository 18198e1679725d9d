"""Stores responses in Redis for repeats by Idempotency-Key, limited in bytes for each API key and in total.

Room for a response is reserved before the request is processed: without a stored response, a repeat would be
processed twice.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import redis

from zelador.errors import ZeladorError

PENDING_S = 120  # a request that takes longer counts as lost
MAX_ANSWER = 65_536  # bytes of a stored response
OVERHEAD = 256  # bytes, roughly, that Redis needs in addition for each response
KEY_BYTES = 2_097_152  # of the responses of one API key within a window
ALL_BYTES = 33_554_432  # of all responses within a window; two windows can overlap, so up to twice as much is stored
FULL_SHARE = 0.9  # of Redis's maxmemory; the rest is for readings

log = logging.getLogger(__name__)


class Full(ZeladorError):
    """There is no room for another response. `retry_s` is the number of seconds until there may be; None if unknown."""

    def __init__(self, detail: str, retry_s: int | None = None) -> None:
        super().__init__(detail)
        self.retry_s = retry_s


class StoredAnswer(msgspec.Struct, frozen=True):
    """A stored response. While the request is being processed, `status` is 0."""

    request: str  # its digest
    status: int = 0
    headers: list[tuple[bytes, bytes]] = []
    body: bytes = b""


class StoredAnswers:
    def __init__(self, client: redis.Redis, prefix: str, lifetime_s: int) -> None:
        self._client = client
        self._prefix = prefix
        self._lifetime_s = lifetime_s

    def claim(self, name: str, digest: str, who: str) -> StoredAnswer | None:
        """Returns the stored response; None if the caller must process the request, after reserving room for it.

        Raises Full, redis.RedisError.
        """
        key = self._key(name)
        for _ in range(3):
            found: Any = self._client.get(key)
            if found is not None:
                return msgspec.msgpack.decode(found, type=StoredAnswer)
            self._reserve(who)
            try:
                claimed = self._client.set(key, msgspec.msgpack.encode(StoredAnswer(digest)), nx=True, ex=PENDING_S)
            except redis.RedisError:
                self._return(who, MAX_ANSWER)
                raise
            if claimed:
                return None
            self._return(who, MAX_ANSWER)
        raise redis.ConnectionError("the key of the stored response keeps changing")

    def store(self, name: str, stored: StoredAnswer, who: str) -> None:
        """Stores a response. A server error (5xx) is not stored: the next attempt may succeed."""
        used = 0
        try:
            if stored.status >= 500:
                self._client.delete(self._key(name))
            else:
                data = msgspec.msgpack.encode(stored)
                self._client.set(self._key(name), data, ex=self._lifetime_s)
                used = len(data) + OVERHEAD
        except (redis.RedisError, OSError) as error:
            log.warning("the response to an Idempotency-Key was not stored: %s", error)
        self._return(who, MAX_ANSWER - used)

    def _reserve(self, who: str) -> None:
        self._check_memory()
        for counter, most, whose in ((self._of(who), KEY_BYTES, "this key's"), (self._of_all(), ALL_BYTES, "all")):
            total = int(self._client.incrby(counter, MAX_ANSWER))
            if total == MAX_ANSWER or self._client.ttl(counter) < 0:
                self._client.expire(counter, self._lifetime_s)
            if total > most:
                self._client.decrby(counter, MAX_ANSWER)
                if counter != self._of(who):
                    self._client.decrby(self._of(who), MAX_ANSWER)
                left = int(self._client.ttl(counter))
                raise Full(
                    f"{whose} stored responses have reached the limit of {most >> 20} MiB, so this one could not be "
                    "stored and nothing was done; send the request without an Idempotency-Key, or later",
                    max(1, left),
                )

    def _return(self, who: str, size: int) -> None:
        """Releases reserved room that was not used, unless the counter has expired."""
        try:
            for counter in (self._of(who), self._of_all()):
                if self._client.exists(counter):
                    self._client.decrby(counter, size)
                    if self._client.ttl(counter) < 0:
                        self._client.expire(counter, self._lifetime_s)
        except (redis.RedisError, OSError) as error:
            log.warning("room for a response stays reserved: %s", error)

    def _check_memory(self) -> None:
        try:
            memory: Any = self._client.info("memory")
        except redis.ResponseError:  # no permission for INFO: Redis itself refuses writes when it is full
            return
        most, used = int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
        if most and used > FULL_SHARE * most:
            raise Full(
                "Redis is nearly full, so the response could not be stored and nothing was done; send the "
                "request without an Idempotency-Key, or later"
            )

    def _key(self, name: str) -> str:
        return f"{{{self._prefix}}}:answer:{name}"

    def _of(self, who: str) -> str:
        return f"{{{self._prefix}}}:answers:{who}"

    def _of_all(self) -> str:
        return f"{{{self._prefix}}}:answers"
