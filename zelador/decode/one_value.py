"""Reads messages that are the value of one field, such as `21.3` on esp01/sensor/temperature/state. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec

from zelador.decode import not_numbers
from zelador.decode.profile import Profile, Source
from zelador.decode.unusable import PassedOver, Unusable
from zelador.decode.values import number
from zelador.ranges import objection
from zelador.settings import Settings

MAX_BYTES = 256  # of a value


class Part(msgspec.Struct, frozen=True, gc=False):
    """One value of a reading that is assembled from several messages. `feature` is its number, from 1."""

    topic: str
    profile: str
    device: str
    feature: int
    value: float
    window_s: float
    received_at: int
    packet_id: int  # 0 for QoS 0
    again: bool  # the broker has sent it before
    payload: bytes

    @property
    def digest(self) -> str:
        return hashlib.blake2b(self.topic.encode() + b"\0" + self.payload, digest_size=8).hexdigest()


class PartReader:
    def __init__(self, profile: Profile, settings: Settings) -> None:
        self._profile = replace(profile, text_numbers=True)  # the whole message is text
        self._features = settings.features
        self.width = len(settings.features)
        self._fields = [settings.field(feature) for feature in settings.features]
        self._by_field: dict[str, tuple[int, Source]] = {}
        for place, sources in reversed(list(enumerate(profile.sources))):
            for source in reversed(sources):
                self._by_field[".".join(source.path)] = (place, source)

    def read(self, field: str, payload: bytes, retained: bool) -> tuple[int, float]:
        """The number of the feature, from 1, and its value. Raises Unusable, PassedOver."""
        known = self._by_field.get(field)
        if known is None:
            raise PassedOver(f"the profile {self._profile.name} reads no field {field[:60]!r}")
        if not payload:
            raise PassedOver("empty messages (each clears a retained one)")
        if retained:
            raise PassedOver("retained messages without a time of their own")
        place, source = known
        feature, settings = self._features[place], self._fields[place]
        value = number(None, _scalar(payload), feature, settings.unit, source, self._profile)
        if why := objection(value, feature, settings):
            raise Unusable(why)
        return place + 1, value


def _scalar(payload: bytes) -> object:
    """A number, a boolean, null or a text, with or without quotation marks. Raises Unusable."""
    if len(payload) > MAX_BYTES:
        raise Unusable(f"the message has {len(payload)} bytes; on a topic of one value, at most {MAX_BYTES}")
    raw = not_numbers.replaced(payload.strip()) or payload.strip()
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Unusable("the value is not text in UTF-8") from None
