"""Answers kept in Redis for a repeat by Idempotency-Key: bounded in bytes for each API key, and for all of them.

Room for an answer is reserved before the request is done: what could not be kept afterwards could be done twice.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import redis

from zelador.errors import ZeladorError

PENDING_S = 120  # a request that takes longer than this is lost
MAX_ANSWER = 65_536  # bytes of an answer that is kept
OVERHEAD = 256  # bytes that Redis takes beside an answer's own, more or less
KEY_BYTES = 2_097_152  # of one API key's answers, from the first on until they expire
ALL_BYTES = 33_554_432  # of all answers; both count windows that can follow each other, so twice as much can lie there
FULL_SHARE = 0.9  # of Redis' maxmemory: beyond it nothing of ours is added to what readings need

log = logging.getLogger(__name__)


class Full(ZeladorError):
    """No room for another answer. `retry_s`: when there may be some; None: not known."""

    def __init__(self, detail: str, retry_s: int | None = None) -> None:
        super().__init__(detail)
        self.retry_s = retry_s


class Kept(msgspec.Struct, frozen=True):
    """`status` 0: the request is being done."""

    request: str  # its digest
    status: int = 0
    headers: list[tuple[bytes, bytes]] = []
    body: bytes = b""


class StoredAnswers:
    def __init__(self, client: redis.Redis, prefix: str, lifetime_s: int) -> None:
        self._client = client
        self._prefix = prefix
        self._lifetime_s = lifetime_s

    def claim(self, name: str, digest: str, who: str) -> Kept | None:
        """None when the request is the caller's to do, and room is reserved; else what is known of it.

        Raises Full, redis.RedisError.
        """
        key = self._key(name)
        for _ in range(3):
            found: Any = self._client.get(key)
            if found is not None:
                return msgspec.msgpack.decode(found, type=Kept)
            self._reserve(who)
            try:
                claimed = self._client.set(key, msgspec.msgpack.encode(Kept(digest)), nx=True, ex=PENDING_S)
            except redis.RedisError:
                self._return(who, MAX_ANSWER)
                raise
            if claimed:
                return None
            self._return(who, MAX_ANSWER)
        raise redis.ConnectionError("the key comes and goes")

    def keep(self, name: str, kept: Kept, who: str) -> None:
        """For as long as the setting says. A failure of ours is not kept: the next try may succeed."""
        used = 0
        try:
            if kept.status >= 500:
                self._client.delete(self._key(name))
            else:
                data = msgspec.msgpack.encode(kept)
                self._client.set(self._key(name), data, ex=self._lifetime_s)
                used = len(data) + OVERHEAD
        except (redis.RedisError, OSError) as error:
            log.warning("the answer to an Idempotency-Key was not kept: %s", error)
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
                    f"{whose} stored answers have {most >> 20} MiB, which is the limit, so this one could not be "
                    "repeated and nothing was done; send it without an Idempotency-Key, or later",
                    max(1, left),
                )

    def _return(self, who: str, size: int) -> None:
        """What was reserved and not used. A counter that has expired meanwhile stays away."""
        try:
            for counter in (self._of(who), self._of_all()):
                if self._client.exists(counter):
                    self._client.decrby(counter, size)
                    if self._client.ttl(counter) < 0:
                        self._client.expire(counter, self._lifetime_s)
        except (redis.RedisError, OSError) as error:
            log.warning("room for an answer stays reserved: %s", error)

    def _check_memory(self) -> None:
        try:
            memory: Any = self._client.info("memory")
        except redis.ResponseError:  # the rights to ask are missing: Redis itself refuses when it is full
            return
        most, used = int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
        if most and used > FULL_SHARE * most:
            raise Full(
                "Redis is nearly full, so an answer could not be kept for a repeat and nothing was done; send the "
                "request without an Idempotency-Key, or later"
            )

    def _key(self, name: str) -> str:
        return f"{{{self._prefix}}}:answer:{name}"

    def _of(self, who: str) -> str:
        return f"{{{self._prefix}}}:answers:{who}"

    def _of_all(self) -> str:
        return f"{{{self._prefix}}}:answers"
