"""The changes of devices' states, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import redis
from pydantic import Field

from zelador.buffer.keys import Keys
from zelador.messages import iso

READ_CHUNK = 1_000  # events in one read
MAX_READ = 25_000  # events: all of them


@dataclass(frozen=True, slots=True)
class DeviceEventView:
    """A change of a device's state. Fields without a value are null."""

    id: Annotated[str, Field(description="Id of the event; ids grow with time.")]
    at: Annotated[str, Field(description="Time of the change, ISO 8601, UTC.")]
    device_id: Annotated[
        str | None, Field(description="The device; null if nothing arrives from any device, or something does again.")
    ]
    before: Annotated[str, Field(description="The state before.")]
    state: Annotated[str, Field(description="The state after.")]
    by: Annotated[str | None, Field(description="Who made the change, if a person did.")]
    why: Annotated[str | None, Field(description="The reason.")]
    label: Annotated[str | None, Field(description="For an alarm: the label of the reading that turned it on.")]
    probability: Annotated[float | None, Field(description="For an alarm: the probability of the alarm classes.")]
    model: Annotated[str | None, Field(description="For an alarm: the model.")]
    reading_id: Annotated[str | None, Field(description="For an alarm: the id of the reading.")]


class DeviceEvents:
    """Reads the events. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key = Keys(prefix).device_events

    def page(
        self, limit: int, before: str | None = None, device: str | None = None, since: int = 0
    ) -> tuple[list[DeviceEventView], str | None]:
        """A page, newest first, and the `before` of the next one, or None. `since`: none before this time (ms)."""
        start, wanted = "+" if before is None else f"({before}", None if device is None else device.encode()
        found: list[DeviceEventView] = []
        for _ in range(0, MAX_READ, READ_CHUNK):
            entries: Any = self._client.xrevrange(self._key, max=start, min=str(since), count=READ_CHUNK)
            for name, fields in entries:
                if wanted is None or fields.get(b"device") == wanted:
                    event = _event(name.decode(), fields)
                    found.append(event)
                    if len(found) == limit:
                        return found, event.id
            if len(entries) < READ_CHUNK:
                break
            start = f"({entries[-1][0].decode()}"
        return found, None


def _event(name: str, fields: Mapping[bytes, bytes]) -> DeviceEventView:
    given = {key.decode(): value.decode("utf-8", "replace") for key, value in fields.items()}
    probability = given.get("probability")
    return DeviceEventView(
        name,
        iso(int(given.get("at", name.partition("-")[0]))),
        given.get("device") or None,
        before=given.get("from", ""),
        state=given.get("to", ""),
        by=given.get("by"),
        why=given.get("why"),
        label=given.get("label"),
        probability=None if probability is None else float(probability),
        model=given.get("model"),
        reading_id=given.get("reading_id"),
    )
