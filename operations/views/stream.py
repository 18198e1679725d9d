"""Recent readings, recent predictions and devices, as the API, console and command line show them."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
import redis
from pydantic import Field
from typing_extensions import TypedDict

from zelador.buffer.keys import Keys
from zelador.buffer.late_labels import LateLabels
from zelador.buffer.repeats import repeats_in
from zelador.errors import InvalidInput, NotFound
from zelador.messages import Arrival, iso

AT_ONCE = 200  # entries per read
LOOKED_AT = 5_000  # entries of a stream examined for one page; a rare device takes several pages
PLACE = re.compile(r"(\d{1,20}-\d{1,20})(?:\.(\d{1,9}))?")  # an entry, and a reading in it

_arrivals = msgspec.json.Decoder(tuple[Arrival, ...]).decode


class Reading(TypedDict):
    """One sample of one device."""

    id: Annotated[str, Field(description="Id of the reading, from the device or derived from its content.")]
    device_id: Annotated[str, Field(description="The device's id, as in the topic.")]
    measured_at: Annotated[str, Field(description="Time by the device's clock, else time of receipt; ISO 8601, UTC.")]
    received_at: Annotated[str, Field(description="Time of receipt, ISO 8601, UTC.")]
    values: Annotated[dict[str, float], Field(description="Values by feature, in the units of the settings.")]
    label: Annotated[str | None, Field(description="The known label, for training; null if the device sent none.")]
    seq: Annotated[int | None, Field(description="The device's sequence number; null if it sends none.")]


class Prediction(TypedDict):
    """The answer to one reading."""

    id: Annotated[str, Field(description="Id derived from reading, device and model; a repeat has the same.")]
    reading_id: Annotated[str, Field(description="Id of the reading.")]
    device_id: Annotated[str, Field(description="Id of its device, as in the topic.")]
    ts: Annotated[str, Field(description="Time of measurement, ISO 8601, UTC.")]
    label: Annotated[str, Field(description="The predicted label.")]
    confidence: Annotated[
        float | None, Field(description="Probability of the label, 0 to 1; null if the model gives none.")
    ]
    probabilities: Annotated[
        dict[str, float] | None, Field(description="Probabilities by label; null if the model gives none.")
    ]
    model: Annotated[str, Field(description="The name of the model that answered.")]
    model_digest: Annotated[str, Field(description="Digest of the model.")]
    selection: Annotated[int, Field(description="The `sequence` of the selection that made the model live.")]
    predicted_at: Annotated[str, Field(description="Time of the prediction, ISO 8601, UTC.")]


class Device(TypedDict):
    """A device. Fields without a value yet are null."""

    device_id: Annotated[str, Field(description="The device's id, as in the topic.")]
    heard_at: Annotated[str, Field(description="Time of its last message, accurate to one second; ISO 8601, UTC.")]
    readings: Annotated[int, Field(description="Number of accepted readings.")]
    label: Annotated[str | None, Field(description="Label of the last prediction.")]
    confidence: Annotated[
        float | None, Field(description="Confidence of the last prediction, 0 to 1; null without probabilities.")
    ]
    predicted_at: Annotated[str | None, Field(description="Time of the last prediction, ISO 8601, UTC.")]
    model: Annotated[str | None, Field(description="Model of the last prediction.")]
    seq: Annotated[int | None, Field(description="Last sequence number; null if the device sends none.")]
    missing: Annotated[int, Field(description="Number of sequence numbers that never arrived.")]
    gaps: Annotated[
        list[list[int]], Field(description="Newest ranges of numbers that never arrived: first and last number.")
    ]
    restarts: Annotated[int, Field(description="How often its sequence numbers restarted.")]
    repeats: Annotated[int, Field(description="Repeats among its last 100 readings, which were not classified again.")]
    repeating: Annotated[bool, Field(description="True if most of its last readings are repeats: are its ids unique?")]


class Recent:
    """Reads the streams and the devices. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self._late = LateLabels(client, prefix)

    def readings(self, limit: int, before: str | None, device: str | None) -> tuple[list[Reading], str | None]:
        """A page, newest first, and the `before` of the next one, or None. Raises InvalidInput."""
        start, skip = _place(before)
        found: list[Reading] = []
        looked = 0
        while looked < LOOKED_AT:
            entries: Any = self._client.xrevrange(self._keys.readings, max=start, count=AT_ONCE)
            for entry, fields in entries:
                name = entry.decode()
                looked += 1
                all_of_it = self._readings(fields)
                for place in range(min(skip, len(all_of_it)) if skip is not None else len(all_of_it), 0, -1):
                    reading = all_of_it[place - 1]
                    if device is None or reading["device_id"] == device:
                        found.append(reading)
                        if len(found) == limit:
                            return found, f"{name}.{place - 1}"
                skip, start = None, f"({name}"
            if len(entries) < AT_ONCE:
                return found, None
        return found, f"{start[1:]}.0"

    def _readings(self, fields: dict[bytes, bytes]) -> list[Reading]:
        """The readings of an entry, in the order of arrival; empty if the entry cannot be read."""
        features, data = next(iter(fields.items()))
        names = _text(features).split(",")
        try:
            arrivals = _arrivals(data)
        except msgspec.DecodeError:
            return []
        readings = [(arrival, reading) for arrival in arrivals for reading in arrival.readings]
        labels = self._late.of([(arrival.device_id, reading) for arrival, reading in readings])
        return [
            {
                "id": reading.id,
                "device_id": arrival.device_id,
                "measured_at": iso(reading.measured_at),
                "received_at": iso(arrival.received_at),
                "values": dict(zip(names, reading.values, strict=False)),
                "label": label,
                "seq": reading.seq,
            }
            for (arrival, reading), label in zip(readings, labels, strict=True)
        ]

    def predictions(self, limit: int, before: str | None, device: str | None) -> tuple[list[Prediction], str | None]:
        """As `readings`. At most 20 predictions of a batch are kept for display."""
        start, _ = _place(before)
        start = start if before is None else f"({start}"
        found: list[Prediction] = []
        while True:
            entries: Any = self._client.xrevrange(self._keys.predictions, max=start, count=AT_ONCE)
            for entry, fields in entries:
                prediction = msgspec.json.decode(fields[b"d"])
                start = f"({entry.decode()}"
                if device is None or prediction.get("device_id") == device:
                    found.append(prediction)
                    if len(found) == limit:
                        return found, entry.decode()
            if len(entries) < AT_ONCE:
                return found, None

    def devices(self, limit: int, offset: int) -> tuple[list[Device], int]:
        """A page of devices, most recently heard first, and the number of all devices."""
        heard: Any = self._client.zrevrange(self._keys.devices, offset, offset + limit - 1, withscores=True)
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(self._keys.devices)
            for device, _ in heard:
                pipeline.hgetall(self._keys.device(_text(device)))
                pipeline.hget(self._keys.repeating, device)
            total, *found = pipeline.execute()
        pairs = zip(heard, found[::2], found[1::2], strict=True)
        return [_device(_text(name), int(at), fields, window) for (name, at), fields, window in pairs], int(total)

    def device(self, device_id: str) -> Device:
        """One device. Raises NotFound."""
        at: Any = self._client.zscore(self._keys.devices, device_id)
        if at is None:
            raise NotFound(f"there is no device {device_id[:80]!r}")
        fields: Any = self._client.hgetall(self._keys.device(device_id))
        window: Any = self._client.hget(self._keys.repeating, device_id)
        return _device(device_id, int(at), fields, window)


def _device(device_id: str, heard_at: int, fields: dict[bytes, bytes], window: bytes | None) -> Device:
    repeats = repeats_in(window or b"")
    found = {_text(name): _text(value) for name, value in fields.items()}
    gaps = [gap.split("-") for gap in found.get("gaps", "").split(",") if gap]
    return {
        "device_id": device_id,
        "heard_at": iso(heard_at),
        "readings": int(found.get("readings", 0)),
        "label": found.get("label"),
        "confidence": float(found["confidence"]) if found.get("confidence") else None,
        "predicted_at": found.get("predicted_at"),
        "model": found.get("model"),
        "seq": int(found["seq"]) if found.get("seq") else None,
        "missing": int(found.get("missing", 0)),
        "gaps": [[int(first), int(last)] for first, last in gaps],
        "restarts": int(found.get("restarts", 0)),
        "repeats": repeats.repeated,
        "repeating": repeats.are_most,
    }


def _place(before: str | None) -> tuple[str, int | None]:
    if before is None:
        return "+", None
    match = PLACE.fullmatch(before)
    if match is None or any(int(part) >= 2**64 for part in match[1].split("-")):
        raise InvalidInput(f"before: {before[:60]!r} is not the `next` of a page")
    return match[1], int(match[2]) if match[2] is not None else None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
