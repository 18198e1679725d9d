"""The ledger: every reading that we received, and what became of it."""

from __future__ import annotations

from typing import Any

import msgspec
import redis

from zelador.buffer.client import script
from zelador.buffer.keys import GROUP, Keys


class Ledger(msgspec.Struct, frozen=True):
    """Readings, counted since the buffer was made.

    received = accepted + quarantined + repeated; accepted = classified + waiting + set_aside.
    """

    received: int
    accepted: int
    quarantined: int
    repeated: int
    classified: int
    waiting: int
    set_aside: int

    @property
    def unaccounted(self) -> int:
        """How far the two sums are from closing; 0 unless something was lost or counted twice."""
        first = self.received - self.accepted - self.quarantined - self.repeated
        second = self.accepted - self.classified - self.waiting - self.set_aside
        return abs(first) + abs(second)

    def flat(self) -> dict[str, int]:
        return {**msgspec.structs.asdict(self), "unaccounted": self.unaccounted}


class LedgerReader:
    """Reads the ledger in one atomic call."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._keys = Keys(prefix)
        self._script = client.register_script(script("ledger.lua"))

    def read(self) -> Ledger:
        """Raises redis.RedisError."""
        counted: Any = self._script([self._keys.readings, self._keys.ledger], [GROUP])
        received, accepted, quarantined, repeated, classified, set_aside, waiting = (int(value) for value in counted)
        return Ledger(received, accepted, quarantined, repeated, classified, waiting, set_aside)
