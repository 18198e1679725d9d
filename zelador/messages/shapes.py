"""Message formats: readings in the buffer and predictions for subscribers. docs/contracts.md has examples."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from functools import lru_cache

import msgspec


class Reading(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One sample of one device, as stored in the buffer.

    `values` are in the units of the settings and in the order of the stream entry's features. `measured_at` is in
    milliseconds since 1970 UTC. `seq` is the device's sequence number.
    """

    id: str
    values: tuple[float, ...]
    measured_at: int
    label: str | None = None
    seq: int | None = None


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


def prediction_id(reading_id: str, device_id: str, model_digest: str) -> str:
    """32 hex digits derived from reading, device and model, so that a repeated prediction can be recognized."""
    digest = _digest_of(model_digest).copy()
    digest.update(f"{device_id}\0{reading_id}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=16)  # one per live model; copying a hash object costs half as much as making one
def _digest_of(model_digest: str) -> hashlib.blake2b:
    return hashlib.blake2b(model_digest.encode() + b"\0", digest_size=16)


def iso(milliseconds: int) -> str:
    """`2026-11-24T10:00:00.123Z` for milliseconds since 1970 UTC."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_iso_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1024)  # many live readings have the same second
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


encode_json = msgspec.json.Encoder().encode
