"""The archive's side of the buffer: reads entries that are not archived yet, and marks them as archived.

The archive's consumer group has nothing pending: its last delivered id is the last entry that is archived. So any
number of archivers may read the same entries; the archive's log decides which of them wrote a file.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import redis

from zelador.buffer.connection import RedisConnection
from zelador.buffer.entry import Entry, decode_entry, order_of
from zelador.buffer.keys import Keys
from zelador.buffer.late_labels import LateLabels
from zelador.buffer.library import Library
from zelador.buffer.outcome_batch import FIELD
from zelador.buffer.written import NotWritten, unwritten
from zelador.messages import Reading
from zelador.undecodable import UNDECODABLE

log = logging.getLogger(__name__)

START = "0-0"

_packed = msgspec.msgpack.Encoder().encode


class Seen(msgspec.Struct, frozen=True):
    """The state of the archive after its last commit, recorded in Redis. A log that has less has lost something."""

    archive: str
    seq: int
    head: str
    rows: int  # readings added so far
    at: str  # ISO 8601


class PositionChanged(Exception):
    """The archive is registered at another entry of the stream, or not at all: start again from what Redis has."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Predictions of a batch, as the worker encoded them."""

    stream_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """Entries to mark as archived, with their numbers of readings, in order; they follow the entry `after`."""

    after: str
    entries: Sequence[tuple[str, int]]
    archived: int
    unreadable: int
    outcomes: Sequence[Raw]

    @property
    def last(self) -> str:
        return self.entries[-1][0] if self.entries else self.after


class ArchiveStream:
    """Every call waits for Redis, and raises Stopping if asked to stop meanwhile."""

    def __init__(self, connection: RedisConnection, prefix: str) -> None:
        self._connection = connection
        self._keys = Keys(prefix)
        self._library = Library(connection.client)
        self._late_labels = LateLabels(connection.client, prefix)
        # The raw reply, [[id, [field, value, …]], …], at half the cost of redis-py's form.
        connection.client.set_response_callback("XRANGE", lambda response, **_: response)

    @property
    def connection(self) -> RedisConnection:
        return self._connection

    def begin(self, hold_bytes: int) -> tuple[str, bool]:
        """Registers the archive. Returns the last entry that is archived, and True if it was not registered before."""
        keys = [self._keys.readings, self._keys.ledger]
        at, new = self._connection.call(
            "register the archive", lambda: self._library.call("archive_begin", keys, [hold_bytes])
        )
        return at.decode(), bool(new)

    def end(self) -> tuple[bool, int, int, int]:
        """Unregisters the archive. Returns if it was registered; readings not taken yet, missed, and archived."""
        return self._connection.call("unregister the archive", lambda: _end(self._library, self._keys))

    def seen(self) -> Seen | None:
        found: Any = self._connection.call(
            "read the archive's state", lambda: self._connection.client.get(self._keys.archive_seen)
        )
        try:
            return None if found is None else msgspec.json.decode(found, type=Seen)
        except UNDECODABLE:
            return None

    def newest(self) -> str:
        """The id of the newest entry that was ever in the stream."""

        def ask() -> str:
            try:
                found: Any = self._connection.client.xinfo_stream(self._keys.readings)
            except redis.ResponseError as error:
                if "no such key" not in str(error):
                    raise
                return START
            last = found["last-generated-id"]
            return last.decode() if isinstance(last, bytes) else str(last)

        return self._connection.call("look at the readings", ask)

    def rewind(self, at: str, to: str, lost: int, now: Seen) -> int:
        """Reads again from `to`. Returns how many of the lost readings are still there. Raises PositionChanged."""
        keys = [self._keys.readings, self._keys.ledger, self._keys.archive_seen]
        arguments = [at, to, lost, msgspec.json.encode(now)]
        done, found = self._connection.call(
            "rewind the archive", lambda: self._library.call("archive_rewind", keys, arguments)
        )
        if not done:
            raise PositionChanged
        return int(found)

    def read(self, after: str, limit: int) -> list[tuple[str, Entry]]:
        """Up to `limit` entries after an entry, with their ids."""

        def ask() -> Any:
            return self._connection.client.xrange(self._keys.readings, f"({after}", "+", count=limit)

        found = self._connection.call("read readings for the archive", ask)
        return [(stream_id.decode(), decode_entry(flat)) for stream_id, flat in found]

    def outcomes(self, limit: int) -> list[Raw]:
        """The oldest entries of the stream of outcomes."""

        def ask() -> Any:
            return self._connection.client.xrange(self._keys.outcomes, "-", "+", count=limit)

        found = self._connection.call("read predictions for the archive", ask)
        return [Raw(stream_id.decode(), flat[1]) for stream_id, flat in found if flat[0] == FIELD]

    def has_late_labels(self) -> bool:
        """Returns whether any label came with a repeat of a reading."""
        client, names = self._connection.client, self._keys.late_labels
        return bool(self._connection.call("look for late labels", lambda: client.exists(*names)))

    def late_labels(self, readings: Sequence[tuple[str, Reading]]) -> list[str | None]:
        """Returns the label that a device sent later with each of its readings, or None."""
        return self._connection.call("read late labels", lambda: self._late_labels.of(readings))

    def wait_written(self) -> None:
        """Returns when Redis has written what was read before.

        Otherwise Redis could lose it in a crash, and the same readings would be appended again under other ids.
        """

        def ask() -> None:
            why = unwritten(self._connection.client.info())
            if why is not None:
                raise NotWritten(why)

        self._connection.call("wait for Redis", ask)

    def done(self, taken: Taken, seen: Seen | None) -> str:
        """Marks entries as archived, after the commit. Returns the last archived entry. Raises PositionChanged."""
        keys = [self._keys.readings, self._keys.ledger, self._keys.outcomes, self._keys.archive_seen]
        record = b"" if seen is None else msgspec.json.encode(seen)
        flat: list[str | int] = []
        for raw in taken.outcomes:
            flat += (raw.stream_id, len(raw.data))
        cut, trimmed = "", 0
        while True:
            arguments = [taken.after, taken.last, taken.archived, taken.unreadable, cut, trimmed, record]
            arguments.append(_packed(flat))
            mark = partial(self._library.call, "archive_done", keys, arguments)
            at, answer = self._connection.call("mark readings as archived", mark)
            if answer == 1:
                return str(at.decode())
            if answer != 2:
                raise PositionChanged
            cut = at.decode()
            trimmed = sum(count for entry, count in taken.entries if order_of(entry) <= order_of(cut))


def end_archive(client: redis.Redis, prefix: str) -> None:
    """Unregisters an archive that was switched off, if it is registered, and says so. Raises redis.RedisError."""
    say_end(*_end(Library(client), Keys(prefix)))


def _end(library: Library, keys: Keys) -> tuple[bool, int, int, int]:
    was, waiting, missed, archived = library.call("archive_end", [keys.readings, keys.ledger, keys.outcomes], [])
    return bool(was), waiting, missed, archived


def say_end(was_registered: bool, waiting: int, missed: int, archived: int) -> None:
    """Logs that an archive was unregistered, with the numbers of readings."""
    if was_registered:
        log.warning(
            "the archive was unregistered: %d readings are archived, %d had not been taken yet, %d were missed",
            archived,
            waiting,
            missed,
        )
