"""Confirms that the registry was restored or replaced on purpose."""

from __future__ import annotations

import redis

from registry.registry import Registry
from registry.restored.last_seen import LastSeen, Seen
from zelador.buffer import connect_redis
from zelador.clock import now_iso
from zelador.errors import Unavailable
from zelador.settings import Settings, redact


def accept(settings: Settings, *, by: str, why: str) -> tuple[Seen | None, Seen]:
    """Records the current registry as the right one; returns the entry last seen before, and the new one.

    Running services reload the log when they read the record. Raises NotFound, Corrupt, Unavailable.
    """
    state = Registry.existing(settings.registry).sync()
    at = now_iso()
    after = Seen(state.registry, state.seq, state.etag, at, by, f"{at} by {by}: {why}")
    try:
        with connect_redis(settings.redis) as client:
            last_seen = LastSeen(client, settings.redis.prefix)
            before = last_seen.read().seen
            last_seen.accept(after)
    except (redis.RedisError, OSError) as error:
        raise Unavailable(
            f"nothing was accepted: Redis does not answer at {redact(settings.redis.url)} ({error}); start Redis, "
            "or, if you run without it, restart the services"
        ) from None
    return before, after
