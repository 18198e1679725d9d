"""Decodes a message into readings, by the profile that its topic belongs to. Pure: ids are an argument."""

from __future__ import annotations

import uuid
from codecs import BOM_UTF8
from collections.abc import Callable
from functools import lru_cache

import msgspec

from zelador.decode import not_numbers
from zelador.decode.json_reader import ERRORS, JsonReader, not_json
from zelador.decode.moments import Moments
from zelador.decode.one_value import Part, PartReader
from zelador.decode.profiles import profiles_of
from zelador.decode.routes import Place, Route, check_device, place_of
from zelador.decode.unusable import PassedOver, Unusable
from zelador.link.message import Message
from zelador.messages import Arrival, Reading
from zelador.response_topic import MAX_CORRELATION_BYTES, ResponseRule
from zelador.settings import Settings
from zelador.settings.profiles import DEFAULT

CACHED_TOPICS = 16_384  # topics whose device is cached

Refusals = list[tuple[str, bytes]]  # the reason, and the bytes


class _Numbered(msgspec.Struct, gc=False):
    seq: int | None = None


def random_id() -> str:
    return uuid.uuid4().hex


class Decoder:
    """A decoder, built once from the settings; `decode` is called for each message."""

    def __init__(self, settings: Settings, new_id: Callable[[], str] = random_id) -> None:
        self._max_payload_bytes, self._max_array = settings.ingest.max_payload_bytes, settings.ingest.max_array
        moments = Moments(settings.time_zone, settings.ingest.max_ahead_s, settings.ingest.max_behind_s)
        profiles = profiles_of(settings)
        self._routes = {profile.name: Route(profile) for profile in profiles}
        self._readers = {profile.name: JsonReader(profile, settings, moments, new_id) for profile in profiles}
        self._parts = {profile.name: PartReader(profile, settings) for profile in profiles if profile.one_value}
        self._new_id = new_id
        self.has_parts = bool(self._parts)  # some topics carry one value
        self._all = tuple(self._routes.values())
        self._prediction = settings.topics.prediction
        self._objection = ResponseRule(settings.topics, [profile.topic for profile in profiles]).objection
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
        profile_name: str = "",
    ) -> tuple[Arrival | None, Refusals]:
        """The message's readings (None if there are none), and the refused parts: (reason, bytes).

        With `profile_name`, that profile reads the message, whatever its topic. An invalid element of an array is
        refused alone; a message that cannot be parsed is refused as a whole. An empty message, and a retained one of
        unknown age, is neither accepted nor refused: it is counted in `passed_over`.
        """
        refused: Refusals = []
        try:
            place = self._named(topic, profile_name) if profile_name else self.place(topic)
            profile, device, field = place
            if not payload:
                raise PassedOver("empty messages (each clears a retained one)")
            if len(payload) > self._max_payload_bytes:
                raise Unusable(f"the message has {len(payload)} bytes, more than {self._max_payload_bytes}")
            reader = self._readers[profile.name]
            is_array = payload[:1] != b"{" and payload.lstrip(b" \t\r\n")[:1] == b"[" and not profile.one_value
            if is_array and profile.device:
                raise Unusable("the message is an array; a profile with device takes one object")
            if reader.is_fast and not is_array:
                readings: tuple[Reading, ...] = (reader.read(device, payload, received_at, retained),)
            elif is_array:
                readings = self._array(reader, device, payload, received_at, retained, refused)
            elif profile.one_value:
                readings = (self._alone(self._parts[profile.name], field, payload, received_at, retained),)
            elif profile.device:
                device, readings = self._by_content(reader, payload, received_at, retained)
            else:
                readings = (reader.read(device, payload, received_at, retained),)
        except Unusable as reason:
            plain = payload.rstrip(b"\0").lstrip(BOM_UTF8)  # the end of a text in C, the mark of Windows
            if not plain or len(plain) == len(payload):
                return None, [(str(reason), payload)]
            arrival, refused = self.decode(
                topic, plain, received_at, response_topic, correlation, retained, profile_name
            )
            return arrival, [(why, payload if part is plain else part) for why, part in refused]
        except PassedOver as why:
            self._pass_over(topic, why)
            return None, []
        if not readings:
            return None, refused
        arrival = Arrival(device, readings, received_at, is_array)
        if retained or profile.name != DEFAULT:
            name = "" if profile.name == DEFAULT else profile.name
            arrival = msgspec.structs.replace(arrival, retained=retained, profile=name)
        if response_topic is not None and self._answered(device, response_topic, correlation):
            asked_under = correlation.hex() if correlation else None
            arrival = msgspec.structs.replace(arrival, response_topic=response_topic, correlation=asked_under)
        return arrival, refused

    def part(self, message: Message) -> Part | str | None:
        """The value of a message on a topic that carries one value; the reason if it is refused; None if passed over.

        Raises LookupError if its topic is not one of these.
        """
        try:
            profile, device, field = self.place(message.topic)
        except Unusable:
            raise LookupError from None
        reader = self._parts.get(profile.name)
        if reader is None:
            raise LookupError
        payload, packet = message.payload, message.packet_id if message.qos else 0
        try:
            feature, value = reader.read(field, payload, message.retained)
        except Unusable as reason:
            return str(reason)
        except PassedOver as why:
            self._pass_over(message.topic, why)
            return None
        return Part(
            message.topic, profile.name, device, feature, value, profile.window_s, message.received_at, packet,
            message.again, payload,
        )  # fmt: skip

    def _named(self, topic: str, name: str) -> Place:
        route = self._routes.get(name)
        if route is None:
            raise Unusable(f"it was read by the profile {name!r}, which is not in ZELADOR_PROFILES any more")
        return place_of(topic, [route], self._prediction)

    def _alone(self, reader: PartReader, field: str, payload: bytes, received_at: int, retained: bool) -> Reading:
        """The value of one field as a separate reading, when the window for it no longer exists."""
        feature, value = reader.read(field, payload, retained)
        values = tuple(value if place == feature else None for place in range(1, reader.width + 1))
        return Reading(self._new_id(), values, received_at)

    def _by_content(
        self, reader: JsonReader, payload: bytes, received_at: int, retained: bool
    ) -> tuple[str, tuple[Reading, ...]]:
        """Device and reading of a message that names its device itself."""
        device = reader.device(payload)
        check_device(device, self._prediction)
        return device, (reader.read(device, payload, received_at, retained),)

    def profile_of(self, topic: str) -> str:
        """The name of the profile that reads a topic; empty if none does, or the default one."""
        try:
            name = self.place(topic).profile.name
        except Unusable:
            return ""
        return "" if name == DEFAULT else name

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
        """The device and sequence number of a refused reading, which did arrive; None if they cannot be read."""
        if len(refused) > self._max_payload_bytes:
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
        if len(found) > self._max_array:
            raise Unusable(f"the array has {len(found)} readings, more than {self._max_array}")
        return [bytes(raw) for raw in found], changed is not None
