"""The devices: last reading, last prediction, and missing sequence numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import redis
from pydantic import Field

from zelador.buffer.keys import Keys
from zelador.errors import NotFound
from zelador.messages import iso


@dataclass(frozen=True, slots=True)
class DeviceView:
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


class Devices:
    """Reads the devices. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)

    def page(self, limit: int, offset: int) -> tuple[list[DeviceView], int]:
        """A page of devices, most recently heard first, and the number of all devices."""
        heard: Any = self._client.zrevrange(self._keys.devices, offset, offset + limit - 1, withscores=True)
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(self._keys.devices)
            for device, _ in heard:
                pipeline.hgetall(self._keys.device(_text(device)))
            total, *hashes = pipeline.execute()
        return [_device(_text(d), int(at), h) for (d, at), h in zip(heard, hashes, strict=True)], int(total)

    def device(self, device_id: str) -> DeviceView:
        """One device. Raises NotFound."""
        at: Any = self._client.zscore(self._keys.devices, device_id)
        if at is None:
            raise NotFound(f"there is no device {device_id[:80]!r}")
        fields: Any = self._client.hgetall(self._keys.device(device_id))
        return _device(device_id, int(at), fields)


def _device(device_id: str, heard_at: int, fields: Mapping[bytes, bytes]) -> DeviceView:
    found = {_text(name): _text(value) for name, value in fields.items()}
    gaps = [gap.split("-") for gap in found.get("gaps", "").split(",") if gap]
    return DeviceView(
        device_id,
        iso(heard_at),
        readings=int(found.get("readings", 0)),
        label=found.get("label"),
        confidence=float(found["confidence"]) if found.get("confidence") else None,
        predicted_at=found.get("predicted_at"),
        model=found.get("model"),
        seq=int(found["seq"]) if found.get("seq") else None,
        missing=int(found.get("missing", 0)),
        gaps=[[int(first), int(last)] for first, last in gaps],
        restarts=int(found.get("restarts", 0)),
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
