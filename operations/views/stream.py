"""Recent readings and recent predictions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, NotRequired

import msgspec
import redis
from pydantic import Field
from typing_extensions import TypedDict

from zelador.buffer.entry import decode_fields
from zelador.buffer.keys import Keys
from zelador.errors import InvalidInput
from zelador.labels.known import KnownLabels
from zelador.messages import Arrival, iso
from zelador.messages import Reading as Sample

READ_CHUNK = 200  # entries per read
MAX_EXAMINED = 5_000  # entries of a stream examined for one page; a rare device takes several pages
POSITION = re.compile(r"([1-9]\d{0,19}-\d{1,20})(?:\.(\d{1,9}))?", re.ASCII)  # an entry, and a reading in it


class Reading(TypedDict):
    """One sample of one device."""

    id: Annotated[str, Field(description="Id of the reading, from the device or derived from its content.")]
    device_id: Annotated[str, Field(description="The device's id, as in the topic.")]
    measured_at: Annotated[str, Field(description="Time by the device's clock, else time of receipt; ISO 8601, UTC.")]
    received_at: Annotated[str, Field(description="Time of receipt, ISO 8601, UTC.")]
    values: Annotated[dict[str, float], Field(description="Values by feature, in its unit; a missing value is absent.")]
    label: Annotated[
        str | None, Field(description="The known label, for training: given for a period, else sent; null if none.")
    ]
    seq: Annotated[int | None, Field(description="The device's sequence number; null if it sends none.")]
    retained: Annotated[bool, Field(description="True if the broker had kept the message: it may be old.")]


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
    late: NotRequired[Annotated[bool, Field(description="True if the reading waited long; else absent.")]]
    retained: NotRequired[Annotated[bool, Field(description="True if the broker had kept the reading; else absent.")]]


class Recent:
    """Reads the streams. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self._labels = KnownLabels(client, prefix)

    def readings(self, limit: int, before: str | None, device: str | None) -> tuple[list[Reading], str | None]:
        """A page, newest first, and the `before` of the next one, or None. Raises InvalidInput."""
        start, skip = _position(before)
        found: list[Reading] = []
        examined = 0
        while examined < MAX_EXAMINED:
            entries: Any = self._client.xrevrange(self._keys.readings, max=start, count=READ_CHUNK)
            wanted: list[tuple[Sequence[str], Arrival, Sample]] = []
            for entry, fields in entries:
                name = entry.decode()
                examined += 1
                decoded = decode_fields(fields)
                samples = [(arrival, sample) for arrival in decoded.arrivals or () for sample in arrival.readings]
                for place in range(min(skip, len(samples)) if skip is not None else len(samples), 0, -1):
                    arrival, sample = samples[place - 1]
                    if device is None or arrival.device_id == device:
                        wanted.append((decoded.features, arrival, sample))
                        if len(found) + len(wanted) == limit:
                            return found + self._shown(wanted), f"{name}.{place - 1}"
                skip, start = None, f"({name}"
            found += self._shown(wanted)
            if len(entries) < READ_CHUNK:
                return found, None
        return found, f"{start[1:]}.0"

    def _shown(self, wanted: Sequence[tuple[Sequence[str], Arrival, Sample]]) -> list[Reading]:
        """The readings as shown; their labels are looked up all at once."""
        if not wanted:
            return []
        named = [(arrival.device_id, sample) for _, arrival, sample in wanted]
        labels = self._labels.of(named)
        return [
            {
                "id": sample.id,
                "device_id": arrival.device_id,
                "measured_at": iso(sample.measured_at),
                "received_at": iso(arrival.received_at),
                "values": {name: value for name, value in zip(names, sample.values, strict=False) if value is not None},
                "label": label,
                "seq": sample.seq,
                "retained": arrival.retained,
            }
            for (names, arrival, sample), label in zip(wanted, labels, strict=True)
        ]

    def predictions(self, limit: int, before: str | None, device: str | None) -> tuple[list[Prediction], str | None]:
        """Returns a page like `readings`. At most 20 predictions of a batch are kept for display."""
        start, _ = _position(before)
        start = start if before is None else f"({start}"
        found: list[Prediction] = []
        while True:
            entries: Any = self._client.xrevrange(self._keys.predictions, max=start, count=READ_CHUNK)
            for entry, fields in entries:
                prediction = msgspec.json.decode(fields[b"d"])
                start = f"({entry.decode()}"
                if device is None or prediction.get("device_id") == device:
                    found.append(prediction)
                    if len(found) == limit:
                        return found, entry.decode()
            if len(entries) < READ_CHUNK:
                return found, None


def _position(before: str | None) -> tuple[str, int | None]:
    if before is None:
        return "+", None
    match = POSITION.fullmatch(before)
    if match is None or any(int(part) >= 2**64 for part in match[1].split("-")):
        raise InvalidInput(f"before: {before[:60]!r} is not the `next` of a page")
    return match[1], int(match[2]) if match[2] is not None else None
