"""Counts the broker sessions that the ingester lost, in the ledger's hash, so that a restart keeps the count.

Messages in such a session (acknowledged to devices, not yet delivered to us) are lost, and their number is unknown.
"""

from __future__ import annotations

import logging
import time

import redis

from zelador.buffer.keys import Keys
from zelador.clock import now_ms
from zelador.ledger import LOST_AT, LOST_SESSIONS, LostSessions

log = logging.getLogger(__name__)

RETRY_S = 1.0


class SessionRecord:
    """`known`: the broker's sessions outlive its process. Otherwise each start correctly finds none."""

    def __init__(self, client: redis.Redis, prefix: str, client_id: str, known: bool) -> None:
        self._client = client
        self._ledger = Keys(prefix).ledger
        self._field = f"session:{client_id}"
        self._known = known
        self._counted = 0  # of this process's losses, how many are in the ledger
        self._next_try = 0.0
        self._begun = False
        self._last_at = 0

    def note(self, lost: int, present: bool) -> None:
        """`lost` sessions so far in this process; `present`: the last connection found its session. Never raises."""
        if (self._begun and lost == self._counted) or time.monotonic() < self._next_try:
            return
        try:
            if not self._begun:
                self._begin(present)
            if lost > self._counted:
                self._count(lost - self._counted)
                self._counted = lost
        except (redis.RedisError, OSError) as error:
            self._next_try = time.monotonic() + RETRY_S
            log.debug("a lost session is not counted yet: %s", error)

    def remark(self) -> str | None:
        """The recent losses, for /readyz."""
        return LostSessions(1, self._last_at, now_ms()).remark() if self._last_at else None

    def _begin(self, present: bool) -> None:
        """Compares with the record of an earlier process: a session that the broker no longer has was lost."""
        had, at = self._client.hmget(self._ledger, [self._field, LOST_AT])
        self._last_at = int(at or 0)
        if had and not present and self._known:
            log.error("the broker has lost our session since the ingester's last run; the messages in it are lost")
            self._count(1)
        self._client.hset(self._ledger, self._field, 1)
        self._begun = True

    def _count(self, losses: int) -> None:
        now = now_ms()
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hincrby(self._ledger, LOST_SESSIONS, losses)
            pipeline.hset(self._ledger, LOST_AT, now)
            pipeline.execute()
        self._last_at = now
