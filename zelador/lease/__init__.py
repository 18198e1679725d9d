"""A lease in Redis: one holder has it until it expires or is released."""

from __future__ import annotations

import redis

from zelador.scripts import script


class Lease:
    """The lease `key`, which expires `ttl_s` seconds after it was last held. Every call may raise redis.RedisError."""

    def __init__(self, client: redis.Redis, key: str, ttl_s: float) -> None:
        self._key = key
        self._ttl_ms = round(ttl_s * 1000)
        self._hold = script(client, "zelador.lease", "hold.lua")
        self._release = script(client, "zelador.lease", "release.lua")

    def hold(self, holder: str) -> bool:
        """Takes or renews the lease. Returns False if another holder has it."""
        return bool(self._hold([self._key], [holder, self._ttl_ms]))

    def release(self, holder: str) -> bool:
        """Releases the lease. Returns False if `holder` does not have it."""
        return bool(self._release([self._key], [holder]))
