"""The shapes that travel: readings in the buffer, predictions to subscribers. docs/contracts.md has examples."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from functools import lru_cache

import msgspec


class Reading(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One sample of one device, as it lies in the buffer.

    `values` are in the units of the settings, in the order of its stream entry's features; `measured_at` is in
    milliseconds since 1970 UTC; `seq` is the device's own count.
    """

    id: str
    values: tuple[float, ...]
    measured_at: int
    label: str | None = None
    seq: int | None = None


class Arrival(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The readings of one MQTT message; an entry of the stream holds one or more of these.

    `array` says that the answer is an array too; `response_topic` and `correlation` (hex) are MQTT 5's for requests.
    """

    device_id: str
    readings: tuple[Reading, ...]
    received_at: int  # milliseconds since 1970 UTC
    array: bool = False
    response_topic: str | None = None
    correlation: str | None = None


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The answer to one reading. `probabilities` and `confidence` are None for a model that has none."""

    id: str
    reading_id: str
    device_id: str
    ts: str  # when it was measured, ISO 8601, UTC
    label: str
    confidence: float | None
    probabilities: dict[str, float] | None
    model: str
    model_digest: str
    selection: int  # sequence number of the selection in the registry's log
    predicted_at: str  # ISO 8601, UTC


def prediction_id(reading_id: str, device_id: str, model_digest: str) -> str:
    """32 hex digits that follow from reading, device and model, so that a repeated prediction is recognisable."""
    digest = _digest_of(model_digest).copy()
    digest.update(f"{device_id}\0{reading_id}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=16)  # the models that are live; a copy costs half of a new one
def _digest_of(model_digest: str) -> hashlib.blake2b:
    return hashlib.blake2b(model_digest.encode() + b"\0", digest_size=16)


def iso(milliseconds: int) -> str:
    """`2026-11-24T10:00:00.123Z` for milliseconds since 1970 UTC."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_iso_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1024)  # live readings share their seconds
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


encode_json = msgspec.json.Encoder().encode
