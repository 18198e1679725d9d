"""What the ledger counted earlier, so that it can be shown since midnight.

The counts in Redis are totals. A mark keeps them once a quarter of an hour, whatever the time zone: every midnight in
the world is at a quarter. Whoever runs writes them: the admin server, and each worker's sweep.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

import msgspec
import redis

from zelador.buffer.entry import order_of
from zelador.buffer.keys import Keys
from zelador.ledger import Ledger, LedgerReader, LedgerSnapshot

QUARTER_MS = 900_000
MAX_MARKS = 300  # some three days
LATE_MS = 30_000  # a mark that soon after midnight counts as one at midnight
COUNTED = (  # as in Ledger
    "received",
    "accepted",
    "quarantined",
    "repeated",
    "classified",
    "waiting",
    "set_aside",
)


class Mark(msgspec.Struct, frozen=True):
    """The counts at a moment, in ms since 1970 UTC by the clock of Redis; in the order of COUNTED."""

    at: int
    counts: tuple[int, ...]


class Today(msgspec.Struct, frozen=True):
    """What changed since a moment: midnight, or later if it is not known what was counted then.

    `ledger` has differences. `waiting` is below 0 if fewer wait now, `quarantined` if earlier messages were replayed.
    """

    since: int  # ms since 1970 UTC
    is_whole: bool  # since midnight
    ledger: Ledger


class LedgerMarks:
    """Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key = Keys(prefix).ledger_marks
        self._ledger = LedgerReader(client, prefix)
        self._begin: tuple[int, Today, Mark] | None = None  # of the last day that was asked for: its midnight, and mark

    def keep(self) -> bool:
        """Writes a mark if there is none yet in this quarter of an hour. Several processes may call this at once."""
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.xrevrange(self._key, count=1)
            (seconds, _), newest = pipeline.execute()
        if newest and order_of(newest[0][0].decode())[0] // QUARTER_MS >= seconds * 1000 // QUARTER_MS:
            return False
        snapshot = self._ledger.snapshot()
        counts = " ".join(str(count) for count in _counts(snapshot.ledger))
        fields: Any = {"counts": counts}
        try:
            self._client.xadd(self._key, fields, id=f"{snapshot.now}-0", maxlen=MAX_MARKS, approximate=False)
        except redis.ResponseError as error:
            if "equal or smaller" not in str(error):  # another process was faster
                raise
            return False
        return True

    def today(self, snapshot: LedgerSnapshot, zone: tzinfo) -> Today | None:
        """What changed since midnight in `zone`; None if nothing is known."""
        begin = midnight(snapshot.now, zone)
        if self._begin is None or self._begin[0] != begin or self._begin[2].counts[0] > snapshot.ledger.received:
            self._begin = self._read(begin)
        if self._begin is None or self._begin[2].counts[0] > snapshot.ledger.received:
            return None
        _, today, mark = self._begin
        return msgspec.structs.replace(today, ledger=_since(snapshot.ledger, mark))

    def _read(self, begin: int) -> tuple[int, Today, Mark] | None:
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.xrange(self._key, min=begin, count=1)
            pipeline.xrevrange(self._key, max=begin - 1, count=1)
            first, last = pipeline.execute()
        mark, before = (_mark(found[0]) if found else None for found in (first, last))
        if mark is None:
            return None
        nothing = not any(mark.counts) or (before is not None and before.counts == mark.counts)
        is_whole = mark.at - begin <= LATE_MS or nothing
        return begin, Today(begin if is_whole else mark.at, is_whole, Ledger(0, 0, 0, 0, 0, 0, 0)), mark


def midnight(moment: int, zone: tzinfo) -> int:
    """The beginning of a moment's day in `zone`; both in ms since 1970 UTC."""
    day = datetime.fromtimestamp(moment / 1000, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    # Where clocks are set forward at midnight, there is no 00:00: this is the moment at which the day began.
    return round(day.timestamp() * 1000)


def _since(ledger: Ledger, mark: Mark) -> Ledger:
    changed = tuple(now - then for now, then in zip(_counts(ledger), mark.counts, strict=True))
    return msgspec.structs.replace(ledger, archive=None, **dict(zip(COUNTED, changed, strict=True)))


def _counts(ledger: Ledger) -> tuple[int, ...]:
    return tuple(getattr(ledger, name) for name in COUNTED)


def _mark(entry: tuple[bytes, dict[bytes, bytes]]) -> Mark:
    return Mark(order_of(entry[0].decode())[0], tuple(int(count) for count in entry[1][b"counts"].split()))
