"""The ingester's side of the buffer: one append, one round trip, for a whole batch."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import msgspec

from zelador.buffer.client import Patient, script
from zelador.buffer.keys import GROUP, Keys
from zelador.messages import Entry
from zelador.settings import Settings

KEPT = 65_536  # bytes of a payload that the quarantine keeps; length and digest tell the rest


@dataclass(frozen=True, slots=True)
class Refused:
    """A message, an element of an array or a reading that cannot be used, as the quarantine keeps it."""

    topic: str
    reason: str
    payload: bytes  # its first KEPT bytes
    length: int  # of the whole payload, bytes
    digest: str  # SHA-256 of the whole payload
    received_at: int  # milliseconds since 1970 UTC

    @classmethod
    def of(cls, topic: str, reason: str, payload: bytes, received_at: int) -> Refused:
        digest = hashlib.sha256(payload).hexdigest()
        return cls(topic, reason, payload[:KEPT], len(payload), digest, received_at)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What one append did, in readings; `backlog` is what waits now, by the counters."""

    accepted: int
    repeated: int
    backlog: int
    discarded: int


class Writer:
    def __init__(
        self, settings: Settings, stop: Event, name: str, wait: Callable[[float], object] | None = None
    ) -> None:
        """`name` is this writer's own among all that write to the buffer; `wait` keeps a session alive meanwhile."""
        self._patient = Patient(settings.redis, stop, wait)
        self._name = name
        self._settings = settings
        self._keys = Keys(settings.redis.prefix)
        self._features = ",".join(settings.features)
        self._append = self._patient.client.register_script(script("append.lua"))

    @property
    def patient(self) -> Patient:
        return self._patient

    def append(self, entries: Sequence[Entry], refused: Sequence[Refused]) -> Accepted:
        """Stores the batch. When it returns, Redis has confirmed it. Raises Stopping if told to stop before that."""
        heard = Counter[str]()
        for entry in entries:
            heard[entry.device_id] += len(entry.readings)
        keys, arguments = self._arguments(entries, refused, heard)
        result = self._patient.call("store readings", lambda: self._append(keys, arguments))
        return Accepted(*(int(value) for value in result))

    def backlog(self) -> int:
        """Readings that wait, by the counters."""
        fields = ("accepted", "classified", "set_aside")
        counted: list[Any] = self._patient.call(
            "read the backlog",
            lambda: self._patient.client.hmget(self._keys.ledger, fields),
        )
        accepted, classified, aside = (int(value or 0) for value in counted)
        return accepted - classified - aside

    def _arguments(
        self, entries: Sequence[Entry], refused: Sequence[Refused], heard: Counter[str]
    ) -> tuple[list[str], list[Any]]:
        redis, keys = self._settings.redis, self._keys
        arguments: list[Any] = [
            GROUP,
            redis.repeat_window,
            redis.keep_readings,
            redis.keep_quarantine,
            redis.keep_quarantine_bytes,
            redis.keep_devices_s,
            time.time_ns() // 1_000_000,
            self._features,
            self._name,
            uuid.uuid4().hex,
            len(entries),
        ]
        for entry in entries:
            head, tail = _frame(entry)
            arguments += (entry.device_id, head, tail, len(entry.readings))
            for reading in entry.readings:
                arguments += (reading.id, _encode(reading))
        arguments.append(len(refused))
        for item in refused:
            arguments += (
                1,
                "refused",
                item.topic,
                item.reason,
                item.payload,
                item.length,
                item.digest,
                item.received_at,
            )
        arguments.append(len(heard))
        for device, count in heard.items():
            arguments += (device, count)
        names = [keys.readings, keys.quarantine, keys.ledger, *keys.seen, keys.devices]
        return names + [keys.device(device) for device in heard], arguments


class _Header(msgspec.Struct, omit_defaults=True):
    device_id: str
    received_at: int
    array: bool = False
    response_topic: str | None = None
    correlation: str | None = None


_encode = msgspec.json.Encoder().encode


def _frame(entry: Entry) -> tuple[bytes, bytes]:
    """The entry's JSON around its readings."""
    header = _Header(entry.device_id, entry.received_at, entry.array, entry.response_topic, entry.correlation)
    return _encode(header)[:-1] + b',"readings":[', b"]}"
