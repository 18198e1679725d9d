"""Checks that Redis stores data as ZELADOR_REDIS__DURABILITY requires: written to its file, or synced to the disk.

`synced` is checked on each new connection, so that nothing is stored in a Redis that restarts with other settings.
WAITAOF is not used: with `appendfsync everysec` some servers answer it before the fsync.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis

WANTED = "ZELADOR_REDIS__DURABILITY=synced"


class NotSynced(redis.RedisError):
    """Redis does not sync each change to its disk, as the settings require, so nothing is stored in it."""


def require_synced(connection: Any) -> None:
    """The handshake for redis-py connections. Raises NotSynced if Redis does not sync each change."""
    connection.on_connect()
    connection.send_command("CONFIG", "GET", "*append*")
    try:
        reply = connection.read_response()
    except redis.ResponseError as error:
        raise NotSynced(
            f"{WANTED}, but the settings of Redis cannot be read ({error}): ACL SETUSER USER +config|get; "
            f"if the service has no CONFIG, only {WANTED.replace('synced', 'written')} is possible"
        ) from None
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    if why := unsynced({_text(name): _text(value) for name, value in pairs}):
        raise NotSynced(why)


def unsynced(config: Mapping[str, str]) -> str | None:
    """The setting that keeps Redis from syncing each change before it answers; None if it does sync. Pure."""
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
