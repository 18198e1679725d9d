"""Confirms that Redis has written a step to its append-only file. Nothing is acknowledged before that.

With `appendfsync everysec`, Redis postpones the write while an fsync runs in the background, for up to 2 s, but answers
at once; SIGKILL in that time loses data. Each step that stores readings reports whether it is written
(lua/written.lua). Redis is asked again only if it is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import redis

LIMIT_S = 3.0  # Redis postpones a write for 2 s at most
FIRST_S, LONGEST_S = 0.001, 0.05  # between two checks

NO_FILE = (
    "Redis has no append-only file: acknowledged readings are lost when it dies or restarts; "
    "redis-cli CONFIG SET appendonly yes, and in redis.conf: appendonly yes"
)
NO_RIGHT = (
    "it is unknown whether Redis has written its data, so nothing is acknowledged: its access list lacks the right "
    "+info for this user (ACL SETUSER USER +info), or the service hides INFO persistence"
)

CANNOT_WRITE = "Redis cannot write its append-only file: free space on its disk, or repair it; see its log"


class NotWritten(redis.RedisError):
    """Redis has executed the step, but it is not known to be in its file yet. The call must be retried."""


class Confirmer:
    """Waits until Redis has written a step. `refused`: why it is unknown; `remark`: a warning if there is no file."""

    def __init__(self, client: redis.Redis, wait: Callable[[float], object] = time.sleep) -> None:
        """`wait` keeps the MQTT session alive during a pause; it may return early."""
        self._client = client
        self.wait = wait
        self.refused: str | None = None
        self.remark: str | None = None

    def look(self) -> None:
        """Checks Redis for a service that has not stored anything yet. Raises redis.RedisError."""
        held, self.remark = persistence(self._client)
        self.refused = held if held == NO_RIGHT else None

    def confirm(self, written: bytes) -> None:
        """Returns once the step is written; `written` is what lua/written.lua returned with it, on the same connection.

        Raises NotWritten after LIMIT_S, redis.RedisError if Redis does not answer.
        """
        if written and written != b"off":
            self._hold(written.partition(b" ")[2].decode())
        else:
            self.refused, self.remark = None, NO_FILE if written else None

    def _hold(self, run: str) -> None:
        deadline, delay = time.monotonic() + LIMIT_S, FIRST_S
        while True:
            try:
                info: Any = self._client.info()
            except redis.ResponseError as error:
                self.refused = NO_RIGHT
                raise NotWritten(f"{NO_RIGHT} ({error})") from None
            self.refused = None if says(info) else NO_RIGHT
            why = unwritten(info, run)
            if why is None:
                self.remark = NO_FILE if without_file(info) else None
                return
            if time.monotonic() >= deadline or not says(info) or restarted(info, run):
                raise NotWritten(why)
            until = time.monotonic() + delay
            self.wait(delay)
            time.sleep(max(0.0, until - time.monotonic()))  # after a request to stop, `wait` returns immediately
            delay = min(2 * delay, LONGEST_S)


def persistence(client: redis.Redis) -> tuple[str | None, str | None]:
    """The reason why nothing can be acknowledged now, and a warning for operators; each may be None.

    Raises redis.RedisError if Redis does not answer.
    """
    try:
        info: Any = client.info("persistence")
    except redis.ResponseError:
        return NO_RIGHT, None
    if without_file(info):
        return None, NO_FILE
    if not says(info):
        return NO_RIGHT, None
    return (None if info["aof_last_write_status"] == "ok" else CANNOT_WRITE), None


def unwritten(info: Mapping[str, Any], run: str = "") -> str | None:
    """The reason why data stored before this INFO may not be in the append-only file of Redis; None if it is. Pure.

    `run` is the run id of the Redis that answered, "" if not known. Without a file there is nothing to wait for.
    """
    if restarted(info, run):
        return "Redis was restarted or replaced before it had written its data"
    if without_file(info):
        return None
    if not says(info):
        return NO_RIGHT
    if info["aof_last_write_status"] != "ok":
        return CANNOT_WRITE
    if int(info["aof_pending_bio_fsync"]) and int(info["aof_buffer_length"]):
        return (
            f"Redis has {info['aof_buffer_length']} bytes not yet written to its append-only file: "
            "an fsync takes too long, its disk is slow or busy"
        )
    return None


def without_file(info: Mapping[str, Any]) -> bool:
    return str(info.get("aof_enabled")) == "0"


def says(info: Mapping[str, Any]) -> bool:
    """True if INFO has the fields that show what is written."""
    needed = ("aof_last_write_status", "aof_pending_bio_fsync", "aof_buffer_length")
    return without_file(info) or all(name in info for name in needed)


def restarted(info: Mapping[str, Any], run: str) -> bool:
    return bool(run) and info.get("run_id") != run
