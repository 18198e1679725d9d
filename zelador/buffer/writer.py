"""The ingester's side of the buffer: stores a whole lot with one append in one round trip."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zelador.buffer.batch import Refused, append_arguments, around_device, assemble_arguments, quarantine_bounds
from zelador.buffer.connection import RedisConnection, Stopping
from zelador.buffer.keys import GROUP, Keys
from zelador.buffer.library import Library
from zelador.buffer.written import Confirmer
from zelador.clock import now_ms
from zelador.decode.one_value import Part
from zelador.messages import Arrival
from zelador.settings import Settings

log = logging.getLogger(__name__)

NOTED_FOR_MS = 1_000
MAX_NOTED = 65_536  # devices
PAUSE_S = 0.001  # between two steps of a measurement


@dataclass(frozen=True, slots=True)
class Accepted:
    """The result of one append, in readings. `backlog` is the number of waiting readings by the counters,
    `waiting_bytes` their size.

    `discarded` counts messages discarded because the quarantine was full; `quarantine_full` is how full it is, in
    percent. `forgotten` counts devices that were forgotten because there were too many. `not_unique` counts readings
    that were quarantined because their id came before. `repeating` is a device that has begun to send mostly repeats.
    """

    accepted: int
    repeated: int
    backlog: int
    discarded: int
    quarantine_full: int
    waiting_bytes: int = 0
    forgotten: int = 0
    not_unique: int = 0
    repeating: str = field(default="", kw_only=True)


class Writer:
    def __init__(self, connection: RedisConnection, settings: Settings, name: str) -> None:
        """`name` is unique among all writers of the buffer."""
        self._connection = connection
        self._name = name
        self._settings = settings
        self._keys = Keys(settings.redis.prefix)
        self._noted: dict[str, int] = {}  # when the time of each device's last message was last updated
        self._library = Library(connection.client)
        self._confirmer = Confirmer(connection.client, lambda seconds: connection.wait(seconds))

    @property
    def connection(self) -> RedisConnection:
        return self._connection

    @property
    def confirmer(self) -> Confirmer:
        return self._confirmer

    def append(self, arrivals: Sequence[Arrival], refused: Sequence[Refused]) -> Accepted:
        """Stores the lot. When it returns, Redis has written it. Raises Stopping if asked to stop before that."""
        now, token = now_ms(), uuid.uuid4().hex
        keys, arguments = append_arguments(self._settings, self._name, token, now, arrivals, refused, self._is_due)

        def attempt() -> list[Any]:
            counted: list[Any]
            *counted, written = self._library.call("append", keys, arguments)
            self._confirmer.confirm(written)
            return counted

        *counted, unmeasured, repeating = self._connection.call("store readings", attempt)
        if int(unmeasured):
            with contextlib.suppress(Stopping):  # the lot is stored
                self._measure()
        return Accepted(*map(int, counted), repeating=repeating.decode("utf-8", "replace"))

    def assemble(self, parts: Sequence[Part]) -> tuple[Accepted, list[Part]]:
        """Stores values that came on topics of their own; returns those for which no window could be opened.

        Appends the windows that are complete or due. When it returns, Redis has written all of it. Raises Stopping.
        """
        now, token = now_ms(), uuid.uuid4().hex
        name = f"{self._name}/parts"
        keys, arguments = assemble_arguments(self._settings, name, token, now, parts)

        def attempt() -> tuple[list[Any], list[int]]:
            answer, refused = self._library.call("assemble", keys, arguments)
            *counted, written = answer
            self._confirmer.confirm(written)
            return counted, refused

        counted, refused = self._connection.call("store values", attempt)
        stored = Accepted(*map(int, counted[:-2]))
        return stored, [parts[int(position) - 1] for position in refused]

    def measure(self, again: bool = False) -> None:
        """Counts the bytes in the buffer, in short steps: after an upgrade, or `again` if the counts are in doubt."""
        begun, steps = time.monotonic(), 1
        if not again and self._connection.call("read the ledger", self._is_measured):
            return
        while self._measure("1" if again and steps == 1 else ""):
            steps += 1
            self._connection.wait(PAUSE_S)  # let other clients work, and keep the session alive
        log.info("measured the buffer in %d steps and %.1f s", steps, time.monotonic() - begun)

    def _measure(self, again: str = "") -> bool:
        """One step; True if there is more to do."""
        keys = self._keys
        names = [keys.readings, keys.ledger, keys.marks, keys.quarantine, keys.requests]
        arguments = [GROUP, again, *around_device(self._settings), self._settings.redis.keep_quarantine]
        more = self._connection.call("measure the buffer", lambda: self._library.call("measure", names, arguments))
        return bool(more)

    def _is_measured(self) -> bool:
        return bool(self._connection.client.hexists(self._keys.ledger, "measured"))

    def backlog(self) -> tuple[int, int]:
        """The number of waiting readings by the counters, and their bytes."""
        fields = ("accepted", "classified", "set_aside", "waiting_bytes")
        counted: list[Any] = self._connection.call(
            "read the backlog",
            lambda: self._connection.client.hmget(self._keys.ledger, fields),
        )
        accepted, classified, aside, waiting_bytes = (int(value or 0) for value in counted)
        return accepted - classified - aside, waiting_bytes

    def tidy(self) -> tuple[int, int]:
        """Enforces the quarantine's limits while nothing is added; returns the number discarded and how full it is."""
        keys = [self._keys.quarantine, self._keys.ledger]
        bounds = quarantine_bounds(self._settings)
        discarded, full = self._connection.call("tidy the quarantine", lambda: self._library.call("tidy", keys, bounds))
        return int(discarded), int(full)

    def _is_due(self, device: str, now: int) -> int:
        """1 if the time of the device's last message must be updated: at most once a second."""
        if now - self._noted.get(device, 0) < NOTED_FOR_MS:
            return 0
        if len(self._noted) >= MAX_NOTED:
            self._noted.clear()
        self._noted[device] = now
        return 1
