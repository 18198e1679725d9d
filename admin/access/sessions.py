"""Sessions of the console. Redis stores the SHA-256 of the random cookie, and the id of the key that signed in.

A session ends after LASTS_S, at sign-out, and when its key is revoked or expires. A session that was just found is not
looked up again, so that a page and its stream cost one lookup.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import redis

from operations.key_file import Key, KeyFile
from zelador.buffer.keys import Keys

log = logging.getLogger(__name__)

LASTS_S = 12 * 3600
MAX_OF_KEY = 50  # sessions of one key; a further one ends the oldest
KNOWN_S = 15.0  # how long a found session is not looked up again
AWAY_S = 5.0  # how long known sessions are not looked up after Redis did not answer
MAX_KNOWN = 2_000
SECURE_COOKIE, PLAIN_COOKIE = "__Host-zelador_session", "zelador_session"


def cookie_name(scheme: str) -> str:
    """Returns the cookie's name. Over TLS, browsers accept the name only with Secure; over plain HTTP they drop it."""
    return SECURE_COOKIE if scheme == "https" else PLAIN_COOKIE


class Sessions:
    """The sessions. Thread-safe: each call of Redis is atomic, and the known sessions are only a cache."""

    def __init__(
        self, client: redis.Redis, prefix: str, keys: KeyFile, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._names = Keys(prefix)
        self._keys = keys
        self._clock = clock
        self._away_until = 0.0
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()  # digest: (id of the key, time of lookup)
        self._ended: OrderedDict[str, None] = OrderedDict()  # digests; Redis may have failed at the sign-out

    def begin(self, key: Key) -> str:
        """Begins a session of `key`, and returns the value of its cookie. Raises redis.RedisError."""
        token = secrets.token_urlsafe(32)
        digest = _digest(token)
        now = time.time()
        of_key = self._names.sessions(key.id)
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.set(self._names.session(digest), key.id, ex=LASTS_S)
            pipeline.zremrangebyscore(of_key, "-inf", now - LASTS_S)
            pipeline.zadd(of_key, {digest: now})
            pipeline.expire(of_key, LASTS_S)
            pipeline.zrange(of_key, 0, -MAX_OF_KEY - 1)
            found: Any = pipeline.execute()[-1]
        for old in found:
            self._forget(old.decode(), key.id)
        self._learn(digest, key.id)
        return token

    def known(self, token: str) -> Key | None:
        """Returns the key of a session that was just looked up, if it is still valid; None if Redis must be asked."""
        found = self._known.get(_digest(token))
        if found is None or self._clock() - found[1] > KNOWN_S:
            return None
        return self._valid(found[0])

    def has_ended(self, token: str) -> bool:
        """Returns whether this process knows that a session ended, without asking Redis. Raises Corrupt."""
        digest = _digest(token)
        found = self._known.get(digest)
        return digest in self._ended or (found is not None and self._valid(found[0]) is None)

    def find(self, token: str) -> Key | None:
        """Returns the valid key of a session; None if there is no such session. Raises redis.RedisError, Corrupt.

        While Redis does not answer, sessions that this process knows stay valid.
        """
        digest = _digest(token)
        if digest in self._ended:
            return None
        seen = self._known.get(digest)
        if seen is not None and self._clock() < self._away_until:
            return self._valid(seen[0])
        try:
            found: Any = self._client.get(self._names.session(digest))
        except (redis.RedisError, OSError):
            self._away_until = self._clock() + AWAY_S
            if seen is None:
                raise
            return self._valid(seen[0])
        if found is None:
            self._known.pop(digest, None)
            return None
        identity = found.decode()
        self._learn(digest, identity)
        return self._valid(identity)

    def end(self, token: str) -> None:
        """Ends a session. This process forgets it even if Redis fails. Raises redis.RedisError."""
        digest = _digest(token)
        self._ended[digest] = None
        if len(self._ended) > MAX_KNOWN:
            self._ended.popitem(last=False)
        known = self._known.pop(digest, None)
        found: Any = self._client.get(self._names.session(digest))
        identity = found.decode() if found is not None else known[0] if known else None
        if identity is not None:
            self._forget(digest, identity)

    def _learn(self, digest: str, identity: str) -> None:
        self._known[digest] = (identity, self._clock())
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _valid(self, identity: str) -> Key | None:
        key = self._keys.by_id(identity)
        return key if key is not None and key.state == "valid" else None

    def _forget(self, digest: str, identity: str) -> None:
        self._known.pop(digest, None)
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.delete(self._names.session(digest))
            pipeline.zrem(self._names.sessions(identity), digest)
            pipeline.execute()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
