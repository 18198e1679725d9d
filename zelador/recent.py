"""What came and what was answered lately, as people look at it: readings, predictions, devices."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.errors import InvalidInput, NotFound
from zelador.messages import Arrival, iso

AT_ONCE = 200  # entries of a stream read at once
LOOKED_AT = 5_000  # entries of a stream looked at for one page; a device that is seldom heard takes several
PLACE = re.compile(r"(\d{1,20}-\d{1,20})(?:\.(\d{1,9}))?")  # an entry, and in it a reading

_arrivals = msgspec.json.Decoder(tuple[Arrival, ...]).decode


class Recent:
    """Every call raises redis.RedisError when Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)

    def readings(self, limit: int, before: str | None, device: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """The newest first, and where to go on; None where there is no more. Raises InvalidInput."""
        start, skip = _place(before)
        found: list[dict[str, Any]] = []
        looked = 0
        while looked < LOOKED_AT:
            entries: Any = self._client.xrevrange(self._keys.readings, max=start, count=AT_ONCE)
            for entry, fields in entries:
                name = entry.decode()
                looked += 1
                all_of_it = _readings(fields)
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

    def predictions(
        self, limit: int, before: str | None, device: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """As `readings`. At most 20 of a batch are kept for people to look at."""
        start, _ = _place(before)
        start = start if before is None else f"({start}"
        found: list[dict[str, Any]] = []
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

    def devices(self, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Those heard last first, and how many there are."""
        heard: Any = self._client.zrevrange(self._keys.devices, offset, offset + limit - 1, withscores=True)
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(self._keys.devices)
            for device, _ in heard:
                pipeline.hgetall(self._keys.device(_text(device)))
            total, *hashes = pipeline.execute()
        return [_device(_text(d), int(at), h) for (d, at), h in zip(heard, hashes, strict=True)], int(total)

    def device(self, device_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        at: Any = self._client.zscore(self._keys.devices, device_id)
        if at is None:
            raise NotFound(f"nothing was heard of a device {device_id[:80]!r}")
        fields: Any = self._client.hgetall(self._keys.device(device_id))
        return _device(device_id, int(at), fields)


def _readings(fields: dict[bytes, bytes]) -> list[dict[str, Any]]:
    """Of an entry, in the order in which they came; none of one that cannot be read."""
    features, data = next(iter(fields.items()))
    names = _text(features).split(",")
    try:
        arrivals = _arrivals(data)
    except msgspec.DecodeError:
        return []
    return [
        {
            "id": reading.id,
            "device_id": arrival.device_id,
            "measured_at": iso(reading.measured_at),
            "received_at": iso(arrival.received_at),
            "values": dict(zip(names, reading.values, strict=False)),
            "label": reading.label,
            "seq": reading.seq,
        }
        for arrival in arrivals
        for reading in arrival.readings
    ]


def _device(device_id: str, heard_at: int, fields: dict[bytes, bytes]) -> dict[str, Any]:
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
