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
from zelador.messages import Arrival, encode_json
from zelador.settings import Settings

NOTED_FOR_MS = 1_000
MOST_NOTED = 65_536  # devices
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
        self._noted: dict[str, int] = {}  # when each device was last noted as heard
        self._append = self._patient.client.register_script(script("append.lua"))

    @property
    def patient(self) -> Patient:
        return self._patient

    def append(self, arrivals: Sequence[Arrival], refused: Sequence[Refused]) -> Accepted:
        """Stores the batch. When it returns, Redis has confirmed it. Raises Stopping if told to stop before that."""
        heard = Counter[str]()
        for arrival in arrivals:
            heard[arrival.device_id] += len(arrival.readings)
        keys, arguments = self._arguments(arrivals, refused, heard)
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
        self, arrivals: Sequence[Arrival], refused: Sequence[Refused], heard: Counter[str]
    ) -> tuple[list[str], list[Any]]:
        redis, keys = self._settings.redis, self._keys
        now = time.time_ns() // 1_000_000
        arguments: list[Any] = [
            GROUP,
            redis.repeat_window,
            redis.keep_readings,
            redis.keep_quarantine,
            redis.keep_quarantine_bytes,
            redis.keep_devices_s,
            now,
            self._features,
            self._name,
            uuid.uuid4().hex,
            redis.pack,
        ]
        messages: list[str | int] = []  # texts: Redis's MessagePack knows no bytes
        for arrival in arrivals:
            device, readings = arrival.device_id, arrival.readings
            if len(readings) == 1:
                messages += (f"{device}\x1f{readings[0].id}", encode_json(arrival).decode())
            else:
                messages += ("", len(readings), *_frame(arrival))
                for reading in readings:
                    messages += (f"{device}\x1f{reading.id}", encode_json(reading).decode())
        arguments.append(_packed(messages))
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
            arguments += (device, count, self._anew(device, now))
        names = [keys.readings, keys.quarantine, keys.ledger, *keys.seen, keys.devices, keys.marks]
        return names + [keys.device(device) for device in heard], arguments

    def _anew(self, device: str, now: int) -> int:
        """Whether the device has to be noted as heard (1): not more than once in a second."""
        if now - self._noted.get(device, 0) < NOTED_FOR_MS:
            return 0
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[device] = now
        return 1


_packed = msgspec.msgpack.Encoder().encode


def _frame(arrival: Arrival) -> tuple[str, str]:
    """The message's JSON around its readings."""
    head, between, tail = encode_json(msgspec.structs.replace(arrival, readings=())).decode().partition('"readings":[]')
    return head + between[:-1], between[-1:] + tail  # within a text its quotation marks would be escaped
