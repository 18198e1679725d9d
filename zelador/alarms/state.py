"""The state of a device as it is stored (buffer/lua/alarms.lua), and as it is published."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from zelador.messages import encode_json, iso

State = Literal["ok", "suspect", "alarm", "acknowledged", "shelved", "unknown", "retired"]
STATES: tuple[State, ...] = get_args(State)
WELL: tuple[State, ...] = ("ok", "suspect")
IN_ALARM: tuple[State, ...] = ("alarm", "acknowledged")
Reason = Literal["silent", "quarantined", "set aside", "fleet", "not classified", "chattering"]

TIME_DIGITS = 13


class Record(
    msgspec.Struct, frozen=True, rename={"state": "s", "version": "v", "probability": "p", "measured_at": "t"}
):
    """The state of a device as stored. Times are in milliseconds since 1970 UTC."""

    state: State | Literal[""] = ""
    since: float = 0  # of the state; of an alarm, acknowledged or not: when it began
    version: int = 0
    measured_at: float = 0  # of the newest reading
    label: str | None = None
    probability: float | None = None
    model: str | None = None
    reading: str | None = None
    by: str | None = None  # who acknowledged the alarm
    at: float | None = None
    came: float | None = None  # since when the alarm is shown, if that is later than `since`
    until: float | None = None  # shelved
    sby: str | None = None
    why: str | None = None
    silent: float | None = None
    reason: Reason | None = None
    retired: float | None = None
    rby: str | None = None

    @property
    def shown_reason(self) -> str | None:
        """Why the device is in the state shown. Retiring and shelving hide the state below, and its reason."""
        if self.state == "shelved":
            return self.why
        return None if self.state == "retired" else self.reason


class PublishedState(msgspec.Struct, frozen=True):
    """The retained message on the topic of a device's state. docs/contracts.md describes the fields."""

    device_id: str
    state: State
    since: str  # ISO 8601, UTC
    version: int
    label: str | None
    probability: float | None
    model: str | None
    reading_id: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None
    shelved_until: str | None
    reason: str | None


_decode = msgspec.msgpack.Decoder(Record).decode


def decode_record(text: bytes) -> Record:
    """Reads a stored state. Raises msgspec.DecodeError, ValueError if it is not one."""
    if text[:1] >= b"\x80":  # a map
        return _decode(text)
    if text[TIME_DIGITS : TIME_DIGITS + 1] == b"a":  # an alarm that continues
        return msgspec.structs.replace(_decode(text[TIME_DIGITS + 1 :]), measured_at=int(text[:TIME_DIGITS]))
    measured_at, since, version = text.split(b" ")
    return Record(state="ok", since=int(since), version=int(version), measured_at=int(measured_at))


def published(device_id: str, record: Record, least_version: int = 0) -> bytes:
    """The retained message for a device. `least_version`: versions up to this may have been published."""
    return encode_json(
        PublishedState(
            device_id=device_id,
            state=record.state or "unknown",
            since=iso(int(record.since)),
            version=max(record.version, least_version),
            label=record.label,
            probability=record.probability,
            model=record.model,
            reading_id=record.reading,
            acknowledged_by=record.by,
            acknowledged_at=optional_iso(record.at),
            shelved_until=optional_iso(record.until),
            reason=record.shown_reason,
        )
    )


def optional_iso(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else iso(int(milliseconds))
