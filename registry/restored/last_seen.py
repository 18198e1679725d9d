"""The newest entry of the registry's log that any service has seen, recorded in Redis.

A log that lost its newest entries still verifies, and so does another registry's log. Only this record shows the loss.
All services of a prefix share one record. It only moves forward: whoever updates it found the old entry in the log.
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
from zelador.undecodable import UNDECODABLE

LIMIT_S = 1.0  # time limit for a command that can work without the record

# KEYS 1 registry-seen   ARGV 1 the record that was read (empty: none)  2 the new one
# Returns 1 if it was replaced, 0 if another process was first.
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
    accepted: str = ""  # when, by whom and why an operator last accepted a restored or replaced registry


@dataclass(frozen=True, slots=True)
class Record:
    """The record in Redis; `seen` is None if there is none, or it cannot be read."""

    raw: bytes
    seen: Seen | None


class LastSeen:
    """Reads and writes the record. Every call may raise redis.RedisError."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key = Keys(prefix).registry_seen
        self._advance = client.register_script(ADVANCE)

    def read(self) -> Record:
        raw: Any = self._client.get(self._key) or b""
        try:
            return Record(raw, msgspec.json.decode(raw, type=Seen) if raw else None)
        except UNDECODABLE:
            return Record(raw, None)

    def advance(self, record: Record, now: Seen) -> bool:
        """Writes `now` if the record is still `record`; False if another process was first."""
        return bool(self._advance([self._key], [record.raw, msgspec.json.encode(now)]))

    def accept(self, now: Seen) -> None:
        """Writes `now` unconditionally, on behalf of an operator."""
        self._client.set(self._key, msgspec.json.encode(now))


def ask(settings: RedisSettings) -> tuple[Seen | None, str | None]:
    """The entry last seen, or the reason why it is unknown. Quick, and never raises: commands work without it."""
    try:
        with connect_redis(settings.model_copy(update={"timeout_s": min(LIMIT_S, settings.timeout_s)})) as client:
            seen = LastSeen(client, settings.prefix).read().seen
    except (redis.RedisError, OSError, Unavailable):
        return None, "Redis does not answer"
    return seen, None if seen else "no service has recorded one"
