"""Decodes a message into readings, with the settings' field map. Pure: no socket, no clock; ids are an argument."""

from __future__ import annotations

import hashlib
import math
import sys
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from operator import mul
from typing import Any

import msgspec

from zelador.messages import Arrival, Reading, content_hash
from zelador.response_topic import MAX_CORRELATION_BYTES, ResponseRule, unpublishable
from zelador.settings import Settings

LARGEST = sys.float_info.max
CACHED_TOPICS = 16_384  # topics whose device is cached
MAX_NAME = 128  # characters of a device, an id, a label
MILLISECONDS_FROM = 1e11  # an epoch from here on is in milliseconds: in seconds it would be the year 5138


class _Numbered(msgspec.Struct, gc=False):
    seq: int | None = None


class Unusable(Exception):
    """The input is not a valid reading. The message is the reason shown in the quarantine."""


def random_id() -> str:
    return uuid.uuid4().hex


class Decoder:
    """A decoder, built once from the settings; `decode` is called for each message."""

    def __init__(self, settings: Settings, new_id: Callable[[], str] = random_id) -> None:
        fields = [settings.field(feature) for feature in settings.features]
        scales = tuple(field.scale for field in fields)
        self._scales = scales if any(scale != 1.0 for scale in scales) else None
        self._ranges = tuple((field.minimum, field.maximum) for field in fields)
        # A valid value needs only one comparison: NaN and infinities are outside every range.
        self._inside = tuple(
            (-LARGEST if low is None else low, LARGEST if high is None else high) for low, high in self._ranges
        )
        self._features = settings.features
        self._units = tuple(field.unit for field in fields)
        self._limits = settings.ingest
        self._oldest = int(datetime(settings.ingest.oldest_year, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)
        self._new_id = new_id
        self._objection = ResponseRule(settings.topics).objection
        self.unanswered = 0  # requests that will not be answered
        self.last_unanswered = ""  # the reason for the newest one
        before, _, after = settings.topics.reading.partition("{device_id}")
        self._before, self._after = before, after
        self._prediction = settings.topics.prediction
        names = {
            f"value_{i}": field.source or feature
            for i, (feature, field) in enumerate(zip(settings.features, fields, strict=True))
        }
        shape: Any = msgspec.defstruct(
            "DeviceMessage",
            [
                *((name, float) for name in names),
                ("ts", str | int | float | None, None),
                ("seq", int | None, None),
                ("id", str | int | None, None),
                ("label", str | int | float | bool | None, None),
            ],
            rename=names,
            gc=False,
        )
        self._width = len(names)
        self.device = lru_cache(maxsize=CACHED_TOPICS)(self._device)
        self._one = msgspec.json.Decoder(shape).decode
        self._many = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self._numbered = msgspec.json.Decoder(_Numbered).decode

    def _device(self, topic: str) -> str:
        """The device that a topic belongs to. Raises Unusable."""
        device = topic[len(self._before) : len(topic) - len(self._after)]
        if not topic.startswith(self._before) or not topic.endswith(self._after) or not device or "/" in device:
            raise Unusable(f"the topic {topic[:200]!r} does not name a device")
        if len(device) > MAX_NAME or not device.isprintable():
            raise Unusable(f"the device's name is longer than {MAX_NAME} characters, or not printable")
        if why := unpublishable(self._prediction.replace("{device_id}", device)):
            raise Unusable(f"no prediction can be published for the device {device!r}: of the topic, {why}")
        return device

    def decode(
        self,
        topic: str,
        payload: bytes,
        received_at: int,
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> tuple[Arrival | None, list[tuple[str, bytes]]]:
        """The message's readings (None if there are none), and the refused parts: (reason, bytes).

        An invalid element of an array is refused alone; a message that cannot be parsed is refused as a whole.
        """
        refused: list[tuple[str, bytes]] = []
        try:
            device = self.device(topic)
            if len(payload) > self._limits.max_payload_bytes:
                raise Unusable(f"the message has {len(payload)} bytes, more than {self._limits.max_payload_bytes}")
            is_array = payload[:1] != b"{" and payload.lstrip(b" \t\r\n")[:1] == b"["
            if is_array:
                readings = self._array(device, payload, received_at, refused)
            else:
                readings = (self._reading(device, payload, received_at),)
        except Unusable as reason:
            return None, [(str(reason), payload)]
        if not readings:
            return None, refused
        if response_topic is None or not self._answered(device, response_topic, correlation):
            return Arrival(device, readings, received_at, is_array), refused
        asked_under = correlation.hex() if correlation else None
        return Arrival(device, readings, received_at, is_array, response_topic, asked_under), refused

    def _answered(self, device: str, response_topic: str, correlation: bytes | None) -> bool:
        """True if the request can be answered. If not, the reading is still accepted, and the request counted."""
        why = self._objection(device, response_topic)
        if why is None and correlation is not None and len(correlation) > MAX_CORRELATION_BYTES:
            why = f"its correlation data is longer than {MAX_CORRELATION_BYTES} bytes"
        if why is None:
            return True
        self.unanswered += 1
        self.last_unanswered = f"{device} asked for an answer on {response_topic[:200]!r}: {why}"
        return False

    def heard(self, topic: str, refused: bytes) -> tuple[str, int] | None:
        """The device and sequence number of a refused reading, if they can be read, because it did arrive."""
        if len(refused) > self._limits.max_payload_bytes:
            return None
        try:
            seq = self._numbered(refused).seq
            return None if seq is None else (self.device(topic), seq)
        except (Unusable, msgspec.DecodeError, UnicodeError, RecursionError):
            return None

    def _array(
        self, device: str, payload: bytes, received_at: int, refused: list[tuple[str, bytes]]
    ) -> tuple[Reading, ...]:
        """The valid elements; invalid ones are added to `refused`. Raises Unusable if it is not an array."""
        readings = []
        for element in self._elements(payload):
            try:
                readings.append(self._reading(device, element, received_at))
            except Unusable as reason:
                refused.append((str(reason), element))
        return tuple(readings)

    def _elements(self, payload: bytes) -> list[bytes]:
        try:
            elements = [bytes(raw) for raw in self._many(payload)]
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Unusable(f"not JSON: {_why(error)}") from None
        if not elements:
            raise Unusable("the array is empty")
        if len(elements) > self._limits.max_array:
            raise Unusable(f"the array has {len(elements)} readings, more than {self._limits.max_array}")
        return elements

    def _reading(self, device: str, raw: bytes, received_at: int) -> Reading:
        try:
            message = self._one(raw)
        except msgspec.ValidationError as error:
            raise Unusable(_why(error)) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Unusable(f"not JSON: {_why(error)}") from None
        parts = msgspec.structs.astuple(message)
        values = parts[: self._width]
        ts, seq, given_id, label = parts[self._width :]
        if self._scales is not None:
            values = tuple(map(mul, values, self._scales))
        for value, (low, high) in zip(values, self._inside, strict=True):
            if not low <= value <= high:
                raise Unusable(self._outside(values))
        measured_at = received_at if ts is None else self._moment(ts, received_at)
        if given_id is not None:
            made_id = given_id if isinstance(given_id, str) else str(given_id)
            if not 0 < len(made_id) <= MAX_NAME or not made_id.isprintable():
                raise Unusable(f"id must have 1 to {MAX_NAME} printable characters")
        elif ts is not None and seq is not None:
            made_id = self._identity(device, seq, measured_at)
        else:
            return Reading(self._new_id(), values, measured_at, None if label is None else _label(label), seq)
        content = content_hash(ts, seq, values)
        return Reading(made_id, values, measured_at, None if label is None else _label(label), seq, content)

    def _outside(self, values: tuple[float, ...]) -> str:
        """The reason why a value is refused."""
        for value, feature, unit, (low, high) in zip(values, self._features, self._units, self._ranges, strict=True):
            if not math.isfinite(value):
                return f"{feature} is not a finite number"
            if (low is not None and value < low) or (high is not None and value > high):
                return f"{feature} is {value:g} {unit}, outside {_span(low, high)}"
        return "a value cannot be used"

    def _moment(self, ts: str | float, received_at: int) -> int:
        """Milliseconds since 1970 UTC of an ISO 8601 text or an epoch in seconds or milliseconds."""
        try:
            if type(ts) is int:
                moment = ts if ts >= MILLISECONDS_FROM or ts <= -MILLISECONDS_FROM else ts * 1000
            elif isinstance(ts, str):
                if not (ts.isascii() and ts.isprintable()):  # fromisoformat ignores everything after a NUL
                    raise ValueError
                parsed = datetime.fromisoformat(ts)
                if parsed.tzinfo is None:
                    parsed = parsed.replace(tzinfo=timezone.utc)
                moment = round(parsed.timestamp() * 1000)
            else:
                moment = round(ts if abs(ts) >= MILLISECONDS_FROM else ts * 1000)
        except (ValueError, OverflowError):
            raise Unusable("ts is neither ISO 8601 nor an epoch in seconds or milliseconds") from None
        if moment - received_at > self._limits.max_ahead_s * 1000:
            raise Unusable(f"ts is more than {self._limits.max_ahead_s:g} s ahead of the server's clock")
        if moment < self._oldest:
            raise Unusable(f"ts is before the year {self._limits.oldest_year}")
        return moment

    def _identity(self, device: str, seq: int, measured_at: int) -> str:
        """An id for a device that sends `ts` and `seq` but no ids: the same reading always gets the same id."""
        return hashlib.blake2b(f"{device}\0{measured_at}\0{seq}".encode(), digest_size=16).hexdigest()


def _label(value: str | float | bool) -> str:
    """A label as text; a number or boolean is written as in JSON."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if not 0 < len(text) <= MAX_NAME or not text.isprintable():
        raise Unusable(f"label must have 1 to {MAX_NAME} printable characters")
    return text


def _span(low: float | None, high: float | None) -> str:
    return f"{'−∞' if low is None else format(low, 'g')} to {'∞' if high is None else format(high, 'g')}"


def _why(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
