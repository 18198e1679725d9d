"""Decodes a message into readings, by the profile that its topic belongs to. Pure: ids are an argument."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import lru_cache

import msgspec

from zelador.decode import not_numbers
from zelador.decode.json_reader import ERRORS, JsonReader, not_json
from zelador.decode.moments import Moments
from zelador.decode.profiles import profiles_of
from zelador.decode.routes import Place, Route, place_of
from zelador.decode.unusable import PassedOver, Unusable
from zelador.messages import Arrival, Reading
from zelador.response_topic import MAX_CORRELATION_BYTES, ResponseRule
from zelador.settings import Settings

CACHED_TOPICS = 16_384  # topics whose device is cached

Refusals = list[tuple[str, bytes]]  # the reason, and the bytes


class _Numbered(msgspec.Struct, gc=False):
    seq: int | None = None


def random_id() -> str:
    return uuid.uuid4().hex


class Decoder:
    """A decoder, built once from the settings; `decode` is called for each message."""

    def __init__(self, settings: Settings, new_id: Callable[[], str] = random_id) -> None:
        self._limits = settings.ingest
        moments = Moments(settings.time_zone, settings.ingest.max_ahead_s, settings.ingest.max_behind_s)
        profiles = profiles_of(settings)
        self._routes = {profile.name: Route(profile) for profile in profiles}
        self._readers = {profile.name: JsonReader(profile, settings, moments, new_id) for profile in profiles}
        self._all = tuple(self._routes.values())
        self._prediction = settings.topics.prediction
        self._objection = ResponseRule(settings.topics).objection
        self.unanswered = 0  # requests that will not be answered
        self.last_unanswered = ""  # the reason for the newest one
        self.passed_over = 0  # readings that are neither stored nor refused
        self.last_passed_over = ""
        self.place = lru_cache(maxsize=CACHED_TOPICS)(self._place)
        self._many = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self._numbered = msgspec.json.Decoder(_Numbered).decode

    def _place(self, topic: str) -> Place:
        """The profile and device that a topic belongs to. Raises Unusable."""
        return place_of(topic, self._all, self._prediction)

    def device(self, topic: str) -> str:
        """The device that a topic belongs to. Raises Unusable."""
        return self.place(topic).device

    def decode(
        self,
        topic: str,
        payload: bytes,
        received_at: int,
        response_topic: str | None = None,
        correlation: bytes | None = None,
        retained: bool = False,
    ) -> tuple[Arrival | None, Refusals]:
        """The message's readings (None if there are none), and the refused parts: (reason, bytes).

        An invalid element of an array is refused alone; a message that cannot be parsed is refused as a whole. An
        empty message, and a retained one of unknown age, is neither: it is counted in `passed_over`.
        """
        refused: Refusals = []
        try:
            profile, device, _ = self.place(topic)
            if not payload:
                raise PassedOver("empty messages (each clears a retained one)")
            if len(payload) > self._limits.max_payload_bytes:
                raise Unusable(f"the message has {len(payload)} bytes, more than {self._limits.max_payload_bytes}")
            reader = self._readers[profile.name]
            is_array = payload[:1] != b"{" and payload.lstrip(b" \t\r\n")[:1] == b"["
            if is_array:
                readings = self._array(reader, device, payload, received_at, retained, refused)
            else:
                readings = (reader.read(device, payload, received_at, retained),)
        except Unusable as reason:
            return None, [(str(reason), payload)]
        except PassedOver as why:
            self._pass_over(topic, why)
            return None, []
        if not readings:
            return None, refused
        arrival = Arrival(device, readings, received_at, is_array)
        if retained:
            arrival = msgspec.structs.replace(arrival, retained=True)
        if response_topic is not None and self._answered(device, response_topic, correlation):
            asked_under = correlation.hex() if correlation else None
            arrival = msgspec.structs.replace(arrival, response_topic=response_topic, correlation=asked_under)
        return arrival, refused

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

    def _pass_over(self, topic: str, why: PassedOver) -> None:
        self.passed_over += 1
        self.last_passed_over = f"{why}; the last on {topic[:200]!r}"

    def heard(self, topic: str, refused: bytes) -> tuple[str, int] | None:
        """The device and sequence number of a refused reading, if they can be read, because it did arrive."""
        if len(refused) > self._limits.max_payload_bytes:
            return None
        try:
            seq = self._numbered(refused).seq
            return None if seq is None else (self.device(topic), seq)
        except (Unusable, *ERRORS):
            return None

    def _array(
        self, reader: JsonReader, device: str, payload: bytes, received_at: int, retained: bool, refused: Refusals
    ) -> tuple[Reading, ...]:
        """The valid elements; invalid ones are added to `refused`. Raises Unusable if it is not an array."""
        readings = []
        elements, changed = self._elements(payload)
        for element in elements:
            try:
                readings.append(reader.read(device, element, received_at, retained))
            except Unusable as reason:
                refused.append((str(reason), not_numbers.restored(element) if changed else element))
            except PassedOver as why:
                self._pass_over("", why)
        return tuple(readings)

    def _elements(self, payload: bytes) -> tuple[list[bytes], bool]:
        """The elements of an array, and True if NaN and the like were replaced in them. Raises Unusable."""
        changed = None
        try:
            found = self._many(payload)
        except ERRORS as error:
            changed = None if isinstance(error, RecursionError) else not_numbers.replaced(payload)
            if changed is None:
                raise Unusable(not_json(error)) from None
            try:
                found = self._many(changed)
            except ERRORS as second:
                raise Unusable(not_json(second)) from None
        if not found:
            raise Unusable("the array is empty")
        if len(found) > self._limits.max_array:
            raise Unusable(f"the array has {len(found)} readings, more than {self._limits.max_array}")
        return [bytes(raw) for raw in found], changed is not None
