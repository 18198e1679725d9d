"""The ledger: counts of all received readings by what happened to them, and of readings that never arrived."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
import redis

from zelador.buffer.keys import GROUP, Keys
from zelador.buffer.library import Library
from zelador.messages import iso

LOST_SESSIONS, LOST_AT = "sessions_lost", "session_lost_at"  # fields of the ledger's hash
REMARK_S = 3_600.0  # how long readiness mentions a lost session


class Counts(TypedDict):
    """The ledger as JSON."""

    received: int
    accepted: int
    quarantined: int
    repeated: int
    classified: int
    waiting: int
    set_aside: int
    unaccounted: int


class ArchiveCounts(msgspec.Struct, frozen=True):
    """The archive's part of the ledger, since it was registered: accepted = archived + waiting + missed + before.

    `before` counts readings that had left the stream before it began. `oldest_waiting_at` is in ms since 1970 UTC by
    Redis's clock, 0 if none waits. The last two are of predictions.
    """

    archived: int
    waiting: int
    missed: int
    before: int
    oldest_waiting_at: int
    outcomes_bytes: int
    outcomes_missed: int


class Ledger(msgspec.Struct, frozen=True):
    """Counts of readings since the buffer was created.

    received = accepted + quarantined + repeated; accepted = classified + waiting + set_aside.
    If an archive is registered, also: accepted = archived + archive_waiting + archive_missed, from its beginning.
    """

    received: int
    accepted: int
    quarantined: int
    repeated: int
    classified: int
    waiting: int
    set_aside: int
    archive: ArchiveCounts | None = None

    @property
    def unaccounted(self) -> int:
        """The difference between the sides of the equations; 0 unless something was lost or counted twice."""
        first = self.received - self.accepted - self.quarantined - self.repeated
        second = self.accepted - self.classified - self.waiting - self.set_aside
        third = 0
        if (archive := self.archive) is not None:
            third = self.accepted - archive.archived - archive.waiting - archive.missed - archive.before
        return abs(first) + abs(second) + abs(third)

    def flat(self) -> Counts:
        return {
            "received": self.received,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "repeated": self.repeated,
            "classified": self.classified,
            "waiting": self.waiting,
            "set_aside": self.set_aside,
            "unaccounted": self.unaccounted,
        }


class LedgerSnapshot(msgspec.Struct, frozen=True):
    """The ledger and related figures at one moment. Times are ms since 1970 UTC by the clock of Redis; 0 is "none".

    `missing` counts sequence numbers that never arrived. `kept` and `kept_bytes` are the number and size of the
    messages in quarantine; `discarded` is how many were discarded, by hand or because the quarantine was full.
    `waiting_bytes` is the size of waiting readings, by the counters; `devices_forgotten` is how many devices were
    forgotten because there were too many.
    """

    ledger: Ledger
    missing: int
    discarded: int
    kept: int
    kept_bytes: int
    oldest_waiting_at: int
    settled_at: int
    oldest_kept_at: int
    now: int
    waiting_bytes: int = 0
    devices: int = 0
    devices_forgotten: int = 0

    @property
    def lag_s(self) -> float:
        """The age of the oldest waiting reading, in seconds."""
        return max(0, self.now - self.oldest_waiting_at) / 1000 if self.oldest_waiting_at else 0.0

    @property
    def archive_lag_s(self) -> float:
        """The age of the oldest reading that waits for the archive, in seconds."""
        archive = self.ledger.archive
        oldest = archive.oldest_waiting_at if archive else 0
        return max(0, self.now - oldest) / 1000 if oldest else 0.0

    @property
    def idle_s(self) -> float:
        """How long readings have been waiting without any entry being settled, in seconds."""
        if not self.oldest_waiting_at:
            return 0.0
        return max(0, self.now - max(self.oldest_waiting_at, self.settled_at)) / 1000


class LostSessions(msgspec.Struct, frozen=True):
    """Sessions of an ingester that the broker forgot, or another client took over. Times are in ms since 1970 UTC."""

    count: int
    at: int  # time of the last loss; 0 if there was none
    now: int

    def remark(self) -> str | None:
        """The text for readiness within an hour of a loss; None otherwise."""
        if not self.at or self.now - self.at > REMARK_S * 1000:
            return None
        return (
            f"the broker lost an ingester's session at {iso(self.at)}: readings that it held, "
            f"acknowledged to devices, may be lost (outside.sessions_lost in /v1/ledger)"
        )


class LedgerReader:
    """Reads the ledger in one atomic call."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self._library = Library(client)

    def read(self) -> Ledger:
        """The ledger. Raises redis.RedisError."""
        return self.snapshot().ledger

    def snapshot(self) -> LedgerSnapshot:
        """The ledger and related figures. Raises redis.RedisError."""
        keys = [self._keys.readings, self._keys.ledger, self._keys.quarantine, self._keys.devices]
        answer: Any = self._library.call("ledger", keys, [GROUP])
        counts = [int(value) for value in answer]
        received, accepted, quarantined, repeated, classified, set_aside, missing, discarded, waiting = counts[:9]
        archive = ArchiveCounts(*counts[18:]) if len(counts) > 18 else None
        ledger = Ledger(received, accepted, quarantined, repeated, classified, waiting, set_aside, archive)
        return LedgerSnapshot(ledger, missing, discarded, *counts[9:18])

    def lost_sessions(self) -> LostSessions:
        """The lost sessions. Raises redis.RedisError."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hmget(self._keys.ledger, [LOST_SESSIONS, LOST_AT])
        pipeline.time()
        (count, at), (seconds, micros) = pipeline.execute()
        return LostSessions(int(count or 0), int(at or 0), seconds * 1000 + micros // 1000)

    def missing_devices(self, limit: int = 20) -> dict[str, int]:
        """The devices with missing sequence numbers, and how many are missing; the largest number first.

        Raises redis.RedisError.
        """
        found: Any = self._client.zrevrange(self._keys.missing, 0, limit - 1, withscores=True)
        return {device.decode(): int(count) for device, count in found}
