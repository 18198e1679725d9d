"""Message formats: readings in the buffer and predictions for subscribers. docs/contracts.md has examples."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from functools import lru_cache

import msgspec


class Reading(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One sample of one device, as stored in the buffer.

    `values` are in the units of the settings and in the order of the stream entry's features; None is a missing value.
    `measured_at` is in milliseconds since 1970 UTC. `seq` is the device's sequence number. `content` is a hash of what
    the message says (time as sent, sequence number, values), 16 hex digits: with the id it identifies a repeat. It is
    empty for a random id, which cannot repeat.
    """

    id: str
    values: tuple[float | None, ...]
    measured_at: int
    label: str | None = None
    seq: int | None = None
    content: str = ""


class Arrival(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The readings of one MQTT message; a stream entry contains one or more of these.

    `array`: the predictions are published as an array too. `response_topic` and `correlation` (hex) are the MQTT 5
    request properties.
    """

    device_id: str
    readings: tuple[Reading, ...]
    received_at: int  # milliseconds since 1970 UTC
    array: bool = False
    response_topic: str | None = None
    correlation: str | None = None
    retained: bool = False  # the broker had kept it: it may be old
    profile: str = ""  # the device profile that read it; empty: default


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The prediction for one reading. `probabilities` and `confidence` are None if the model has no probabilities."""

    id: str
    reading_id: str
    device_id: str
    ts: str  # time of measurement, ISO 8601, UTC
    label: str
    confidence: float | None
    probabilities: dict[str, float] | None
    model: str
    model_digest: str
    selection: int  # sequence number of the selection in the registry's log
    predicted_at: str  # ISO 8601, UTC
    late: bool | msgspec.UnsetType = msgspec.UNSET  # true: classified long after it was received; else absent
    retained: bool | msgspec.UnsetType = msgspec.UNSET  # true: the broker had kept the reading; else absent


def prediction_id(reading: Reading, device_id: str, model_digest: str) -> str:
    """32 hex digits derived from reading, device and model, so that a repeated prediction can be recognized.

    Two readings with the same id and other content have different predictions.
    """
    digest = _digest_of(model_digest).copy()
    known = f"{device_id}\0{reading.id}\0{reading.content}" if reading.content else f"{device_id}\0{reading.id}"
    digest.update(known.encode())
    return digest.hexdigest()


def content_hash(ts: str | float | None, seq: int | None, values: tuple[float | None, ...]) -> str:
    """64 bits of what a message says, as hex digits. The same bytes always give the same hash."""
    digest = _NO_CONTENT.copy()
    try:
        digest.update(_packed((ts, seq, values)))
    except OverflowError:  # MessagePack has integers of 64 bits
        digest.update(_packed((str(ts), str(seq), values)))
    return digest.hexdigest()


_NO_CONTENT = hashlib.blake2b(digest_size=8)  # copying a hash object costs half as much as making one
_packed = msgspec.msgpack.Encoder().encode


@lru_cache(maxsize=16)  # one per live model; copying a hash object costs half as much as making one
def _digest_of(model_digest: str) -> hashlib.blake2b:
    return hashlib.blake2b(model_digest.encode() + b"\0", digest_size=16)


def iso(milliseconds: int) -> str:
    """`2026-11-24T10:00:00.123Z` for milliseconds since 1970 UTC."""
    return _iso_second(milliseconds // 1000) + _FRACTIONS[milliseconds % 1000]


_FRACTIONS = tuple(f".{millisecond:03d}Z" for millisecond in range(1000))


@lru_cache(maxsize=1024)  # many live readings have the same second
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


encode_json = msgspec.json.Encoder().encode
