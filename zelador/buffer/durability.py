"""Checks that Redis keeps what is acknowledged as ZELADOR_REDIS__DURABILITY asks: in its file, or synced to the disk.

`synced` is checked on each new connection, so that a Redis that comes back with other settings acknowledges nothing.
WAITAOF is not used: with `appendfsync everysec` some servers answer it before the fsync.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis

WANTED = "ZELADOR_REDIS__DURABILITY=synced"


class NotSynced(redis.RedisError):
    """Redis does not sync each change to its disk, as the settings want: nothing is stored there."""


def require_synced(connection: Any) -> None:
    """For redis-py, in place of its own handshake. Raises NotSynced where Redis does not sync each change."""
    connection.on_connect()
    connection.send_command("CONFIG", "GET", "*append*")
    try:
        said = connection.read_response()
    except redis.ResponseError as error:
        raise NotSynced(
            f"{WANTED}, but Redis does not let us see its settings ({error}): ACL SETUSER USER +config|get; "
            f"where the service has no CONFIG, only {WANTED.replace('synced', 'written')} can be kept"
        ) from None
    pairs = said.items() if isinstance(said, dict) else zip(said[::2], said[1::2], strict=True)
    if why := unsynced({_text(name): _text(value) for name, value in pairs}):
        raise NotSynced(why)


def unsynced(config: Mapping[str, str]) -> str | None:
    """Which of its settings keeps Redis from syncing each change before it answers; None: it syncs. Pure."""
    wanted = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
    for name, value in wanted.items():
        if config.get(name) != value:
            return (
                f"{WANTED} needs {name} {value}, and Redis has {config.get(name, 'no such setting')}: "
                f"redis-cli CONFIG SET {name} {value}, and in redis.conf: {name} {value}"
            )
    return None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
