"""The newest entry of the registry's log that any service saw, kept in Redis: a log that lost its end is whole, and so
is another registry's; only somebody who knows the log from before can tell.

One record for all services of a prefix. It goes forward only, by whoever saw the log go on from what stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from zelador.buffer.connection import connect_redis
from zelador.buffer.keys import Keys
from zelador.errors import Unavailable
from zelador.settings import RedisSettings

LIMIT_S = 1.0  # of an answer to a command that can do without

# KEYS 1 registry-seen   ARGV 1 the record as it was read (empty: there was none)  2 the new one
# Gives 1 when it was replaced, 0 when another was first.
ADVANCE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class Seen(msgspec.Struct, frozen=True):
    registry: str  # the registry's own id
    seq: int  # of the entry
    etag: str
    at: str  # ISO 8601, UTC
    by: str  # the process
    accepted: str = ""  # when, by whom and why an operator last said that a restored or other registry is meant


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in Redis; `seen` is None when nothing does, or nothing that can be read."""

    raw: bytes
    seen: Seen | None


class LastSeen:
    """Every call may raise redis.RedisError."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key = Keys(prefix).registry_seen
        self._advance = client.register_script(ADVANCE)

    def read(self) -> Record:
        raw: Any = self._client.get(self._key) or b""
        try:
            return Record(raw, msgspec.json.decode(raw, type=Seen) if raw else None)
        except (msgspec.DecodeError, UnicodeError):
            return Record(raw, None)

    def advance(self, record: Record, now: Seen) -> bool:
        """Writes `now` if `record`, as it was read, still stands there; else another process was first."""
        return bool(self._advance([self._key], [record.raw, msgspec.json.encode(now)]))

    def accept(self, now: Seen) -> None:
        """Writes `now`, whatever stands there: an operator says so."""
        self._client.set(self._key, msgspec.json.encode(now))


def ask(settings: RedisSettings) -> tuple[Seen | None, str | None]:
    """What was last seen, for a command that can do without it, and why that is not known; quick, and never raises."""
    try:
        with connect_redis(settings.model_copy(update={"timeout_s": min(LIMIT_S, settings.timeout_s)})) as client:
            seen = LastSeen(client, settings.prefix).read().seen
    except (redis.RedisError, OSError, Unavailable):
        return None, "Redis does not answer"
    return seen, None if seen else "no service has noted one"
