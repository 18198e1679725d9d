"""Which profile, device and field a topic belongs to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zelador.decode.json_reader import MAX_NAME
from zelador.decode.profile import Profile
from zelador.decode.unusable import Unusable
from zelador.response_topic import unpublishable

DEVICE, FIELD = "{device_id}", "{field}"
DOTS = (".", "..")  # clients and browsers remove them from an address, so that nobody could open or retire the device


class Place(NamedTuple):
    profile: Profile
    device: str
    field: str


class Route:
    """The topics of one profile."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._levels = profile.topic.split("/")
        self._device = self._levels.index(DEVICE)
        self._field = self._levels.index(FIELD) if profile.one_value else -1

    def place(self, topic: str) -> Place | None:
        levels = topic.split("/")
        if len(levels) != len(self._levels):
            return None
        for i, (have, want) in enumerate(zip(levels, self._levels, strict=True)):
            if have != want and i != self._device and i != self._field:
                return None
        device, field = levels[self._device], levels[self._field] if self._field >= 0 else ""
        if not device or (self._field >= 0 and not field):
            return None
        return Place(self.profile, device, field)


def place_of(topic: str, routes: Sequence[Route], prediction: str) -> Place:
    """The first route's place. Raises Unusable if there is none, or no prediction could be published."""
    for route in routes:
        if (found := route.place(topic)) is not None:
            check_device(found.device, prediction)
            return found
    raise Unusable(f"the topic {topic[:200]!r} does not name a device")


def check_device(device: str, prediction: str) -> None:
    """Raises Unusable if the device's name cannot be used. `prediction` is the template of its predictions' topic."""
    if not device or len(device) > MAX_NAME or not device.isprintable() or "/" in device:
        raise Unusable(f"the device's name is longer than {MAX_NAME} characters, or not printable, or has a /")
    if device in DOTS:
        raise Unusable(f"the device's name is {device}, which clients remove from an address; name it differently")
    if why := unpublishable(prediction.replace(DEVICE, device)):
        raise Unusable(f"no prediction can be published for the device {device!r}: of the topic, {why}")
