"""An operator's word that what is there now is meant: a registry restored from a backup, or another in its place."""

from __future__ import annotations

import redis

from registry.commit import now
from registry.registry import Registry
from zelador.buffer import connect_redis
from zelador.errors import Unavailable
from zelador.last_seen import LastSeen, Seen
from zelador.settings import Settings, redact


def accept(settings: Settings, *, by: str, why: str) -> tuple[Seen | None, Seen]:
    """What the services had last seen, and what counts from now on.

    Running services fold anew when they see it. Raises NotFound, Corrupt, Unavailable.
    """
    state = Registry.existing(settings.registry).sync()
    at = now()
    after = Seen(state.registry, state.seq, state.etag, at, by, f"{at} by {by}: {why}")
    try:
        with connect_redis(settings.redis) as client:
            last_seen = LastSeen(client, settings.redis.prefix)
            before = last_seen.read().seen
            last_seen.accept(after)
    except (redis.RedisError, OSError) as error:
        raise Unavailable(
            f"nothing was accepted: Redis does not answer at {redact(settings.redis.url)} ({error}); start it first, "
            "or, where there is none, restart the services"
        ) from None
    return before, after
