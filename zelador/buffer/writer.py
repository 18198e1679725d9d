"""The ingester's side of the buffer: one append, one round trip, for a whole batch."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from zelador.buffer.batch import Refused, append_arguments, quarantine_bounds
from zelador.buffer.client import Patient
from zelador.buffer.keys import Keys
from zelador.buffer.library import Library
from zelador.buffer.written import Confirmer
from zelador.messages import Arrival
from zelador.settings import Settings

NOTED_FOR_MS = 1_000
MOST_NOTED = 65_536  # devices


@dataclass(frozen=True, slots=True)
class Accepted:
    """What one append did, in readings; `backlog` is what waits now, by the counters.

    `discarded` is what the quarantine lost to its bounds, `quarantine_full` how near it is to the nearest (percent).
    """

    accepted: int
    repeated: int
    backlog: int
    discarded: int
    quarantine_full: int


class Writer:
    def __init__(
        self, settings: Settings, stop: Event, name: str, wait: Callable[[float], object] | None = None
    ) -> None:
        """`name` is this writer's own among all that write to the buffer; `wait` keeps a session alive meanwhile."""
        self._patient = Patient(settings.redis, stop, wait)
        self._name = name
        self._settings = settings
        self._keys = Keys(settings.redis.prefix)
        self._noted: dict[str, int] = {}  # when each device was last noted as heard
        self._library = Library(self._patient.client)
        self._confirmer = Confirmer(self._patient.client, lambda seconds: self._patient.wait(seconds))

    @property
    def patient(self) -> Patient:
        return self._patient

    @property
    def confirmer(self) -> Confirmer:
        return self._confirmer

    def append(self, arrivals: Sequence[Arrival], refused: Sequence[Refused]) -> Accepted:
        """Stores the batch. When it returns, Redis has written it. Raises Stopping if told to stop before that."""
        now, token = time.time_ns() // 1_000_000, uuid.uuid4().hex
        keys, arguments = append_arguments(self._settings, self._name, token, now, arrivals, refused, self._anew)

        def attempt() -> list[Any]:
            counted: list[Any]
            *counted, written = self._library.call("append", keys, arguments)
            self._confirmer.confirm(written)
            return counted

        return Accepted(*map(int, self._patient.call("store readings", attempt)))

    def backlog(self) -> int:
        """Readings that wait, by the counters."""
        fields = ("accepted", "classified", "set_aside")
        counted: list[Any] = self._patient.call(
            "read the backlog",
            lambda: self._patient.client.hmget(self._keys.ledger, fields),
        )
        accepted, classified, aside = (int(value or 0) for value in counted)
        return accepted - classified - aside

    def tidy(self) -> tuple[int, int]:
        """Holds the quarantine's bounds while nothing is added to it; gives how many went, and how full it is."""
        keys = [self._keys.quarantine, self._keys.ledger]
        bounds = quarantine_bounds(self._settings)
        discarded, full = self._patient.call("tidy the quarantine", lambda: self._library.call("tidy", keys, bounds))
        return int(discarded), int(full)

    def _anew(self, device: str, now: int) -> int:
        """Whether the device has to be noted as heard (1): not more than once in a second."""
        if now - self._noted.get(device, 0) < NOTED_FOR_MS:
            return 0
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[device] = now
        return 1
