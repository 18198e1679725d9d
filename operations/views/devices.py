"""The devices: state, last reading, last prediction, and missing sequence numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import redis
from pydantic import Field

from operations.views.alarm_time import AlarmTimeReader, AlarmTimes
from zelador.alarms.state import Reason, Record, State, optional_iso
from zelador.alarms.store import DeviceStates
from zelador.buffer.keys import Keys
from zelador.buffer.repeats import repeats_in
from zelador.errors import NotFound
from zelador.messages import iso

MAX_SEARCHED = 100_000  # devices
SILENT: tuple[Reason, ...] = ("silent", "quarantined", "fleet")  # reasons of a device that is not heard
STATE_TEXT = (
    "ok, suspect (an odd reading), alarm, acknowledged, shelved (until a time), unknown (silent, or its readings "
    "cannot be used, or none was classified yet), retired."
)


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device. Fields without a value yet are null."""

    device_id: Annotated[str, Field(description="The device's id, as in the topic.")]
    state: Annotated[State, Field(description=STATE_TEXT)]
    since: Annotated[
        str | None,
        Field(
            description="Since when it is in this state. For an alarm, acknowledged or not: when it began, also if it "
            "was shelved, retired or acknowledged for a time. ISO 8601, UTC."
        ),
    ]
    reason: Annotated[
        str | None,
        Field(
            description="Why it is unknown (silent, quarantined, set aside, fleet: nothing arrives from any device, "
            "not classified), why it is suspect (chattering: its last alarm began too recently for another), or why it "
            "was shelved."
        ),
    ]
    alarm_label: Annotated[str | None, Field(description="Label of the newest reading that counted for an alarm.")]
    alarm_probability: Annotated[float | None, Field(description="Probability of the alarm classes in that reading.")]
    alarm_model: Annotated[str | None, Field(description="The model that classified that reading.")]
    alarm_reading_id: Annotated[str | None, Field(description="The id of that reading.")]
    acknowledged_by: Annotated[str | None, Field(description="Who acknowledged the alarm.")]
    acknowledged_at: Annotated[str | None, Field(description="When, ISO 8601, UTC.")]
    alarm_minutes: Annotated[
        float,
        Field(
            description="Minutes in alarm in the last 7 days, acknowledged or not; without the time in which it was "
            "shelved or retired."
        ),
    ]
    shelved_until: Annotated[str | None, Field(description="Until when it is shelved, ISO 8601, UTC.")]
    shelved_by: Annotated[str | None, Field(description="Who shelved it.")]
    retired_by: Annotated[str | None, Field(description="Who retired it.")]
    silent_since: Annotated[str | None, Field(description="The time of its last reading, if it is silent.")]
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


Sort = Literal["alarm_minutes"]


class Said(msgspec.Struct, frozen=True, array_like=True):
    """The newest prediction of a device, as settle.lua stores it. The values may be missing."""

    label: str | None = None
    confidence: float | None = None
    predicted_at: str | None = None
    model: str | None = None


class Devices:
    """Reads the devices. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self._states = DeviceStates(client, prefix)
        self._alarm_times = AlarmTimeReader(client, prefix)

    def page(
        self,
        limit: int,
        offset: int,
        states: Sequence[State] = (),
        text: str | None = None,
        sort: Sort | None = None,
    ) -> tuple[list[DeviceView], int]:
        """A page of devices, and the number of all that match.

        Most recently heard first; with `states`, only these, in their order, and in each the newest change first.
        `sort`: the longest in alarm first, and the others in that order. `text`: only ids that contain it, of any case.
        With either, at most MAX_SEARCHED devices are searched.
        """
        if text is None and sort is None:
            names, total = self._in(states, offset, limit) if states else self._heard(offset, limit)
        else:
            wanted = (text or "").casefold()
            candidates, _ = self._in(states, 0, MAX_SEARCHED) if states else self._heard(0, MAX_SEARCHED)
            found = [name for name in candidates if wanted in name.casefold()] if wanted else candidates
            if sort is not None:
                spent = self.alarm_times().ms
                found.sort(key=lambda name: -spent.get(name, 0))
            names, total = found[offset : offset + limit], len(found)
        return self._views(names), total

    def alarm_times(self) -> AlarmTimes:
        """How long devices were in alarm in the last week."""
        return self._alarm_times.read()

    def device(self, device_id: str) -> DeviceView:
        """One device. Raises NotFound."""
        found = self._views([device_id])
        if not found:
            raise NotFound(f"there is no device {device_id[:80]!r}")
        return found[0]

    def known(self, names: Sequence[str]) -> frozenset[str]:
        """The names that belong to known devices; a run's table may name others."""
        found: Any = self._client.zmscore(self._keys.devices, list(names)) if names else []
        return frozenset(name for name, at in zip(names, found, strict=True) if at is not None)

    def acknowledgments(self, names: Sequence[str], who: str) -> dict[str, int]:
        """When these alarms were acknowledged by a person (ms since 1970 UTC), without those that are not."""
        records = zip(names, self._states.records(names), strict=True)
        return {name: int(each.at) for name, each in records if each is not None and each.by == who and each.at}

    def acknowledged_by(self, who: str, since: int, until: int, limit: int) -> dict[str, int]:
        """Devices whose alarms a person acknowledged in a period, and when (ms since 1970 UTC); `limit` are read."""
        found = self.acknowledgments(self._states.acknowledged(since, until, limit), who)
        return {name: at for name, at in found.items() if since <= at <= until}

    def counts(self) -> dict[State, int]:
        """The number of devices in each state; those of which no reading was classified yet are not among them."""
        return self._states.counts()

    def silent_since(self) -> int | None:
        """While nothing arrives from any device: the time of the last reading (ms since 1970 UTC), else None."""
        return self._states.silent_since()

    def _heard(self, offset: int, limit: int) -> tuple[list[str], int]:
        heard: Any = self._client.zrevrange(self._keys.devices, offset, offset + limit - 1)
        total: Any = self._client.zcard(self._keys.devices)
        return [_text(name) for name in heard], int(total)

    def _in(self, states: Sequence[State], offset: int, limit: int) -> tuple[list[str], int]:
        counts = self._states.counts()
        found: list[str] = []
        before = 0
        for state in dict.fromkeys(states):
            start = max(0, offset - before)
            if start < counts[state] and len(found) < limit:
                end = start + limit - len(found) - 1
                names: Any = self._client.zrevrange(self._keys.in_state(state), start, end)
                found += [_text(name) for name in names]
            before += counts[state]
        return found, before

    def _views(self, names: Sequence[str]) -> list[DeviceView]:
        records = self._states.records(names)
        said: Any = self._client.hmget(self._keys.last_predictions, list(names)) if names else []
        with self._client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.zscore(self._keys.devices, name)
                pipeline.hgetall(self._keys.device(name))
                pipeline.hget(self._keys.repeating, name)
            answers = pipeline.execute()
        spent = self._alarm_times.read().ms if names else {}
        each = zip(names, records, said, answers[::3], answers[1::3], answers[2::3], strict=True)
        return [
            _device(name, int(at), fields, record, window, _said(prediction), spent.get(name, 0))
            for name, record, prediction, at, fields, window in each
            if at is not None
        ]


def _device(
    device_id: str,
    heard_at: int,
    fields: Mapping[bytes, bytes],
    record: Record | None,
    window: bytes | None,
    said: Said,
    in_alarm_ms: int,
) -> DeviceView:
    repeats = repeats_in(window or b"")
    found = {_text(name): _text(value) for name, value in fields.items()}
    gaps = [gap.split("-") for gap in found.get("gaps", "").split(",") if gap]
    state = Record(state="unknown") if record is None else record
    return DeviceView(
        device_id,
        state=state.state or "unknown",
        since=optional_iso(state.since or None),
        reason="not classified" if record is None else state.shown_reason,
        alarm_label=state.label,
        alarm_probability=state.probability,
        alarm_model=state.model,
        alarm_reading_id=state.reading,
        acknowledged_by=state.by,
        acknowledged_at=optional_iso(state.at),
        alarm_minutes=round(in_alarm_ms / 60_000, 1),
        shelved_until=optional_iso(state.until),
        shelved_by=state.sby,
        retired_by=state.rby,
        silent_since=optional_iso(state.silent) if state.reason in SILENT else None,
        heard_at=iso(heard_at),
        readings=int(found.get("readings", 0)),
        label=said.label,
        confidence=said.confidence,
        predicted_at=said.predicted_at,
        model=said.model,
        seq=int(found["seq"]) if found.get("seq") else None,
        missing=int(found.get("missing", 0)),
        gaps=[[int(first), int(last)] for first, last in gaps],
        restarts=int(found.get("restarts", 0)),
        repeats=repeats.repeated,
        repeating=repeats.are_most,
    )


def _said(stored: bytes | None) -> Said:
    return Said() if stored is None else _decode_said(stored)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


_decode_said = msgspec.json.Decoder(Said).decode
