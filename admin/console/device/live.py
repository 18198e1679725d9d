"""The parts of a device's page that are live: its state, what can be done, its last reading, and its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import redis

from admin.console.console import Console
from admin.console.device.timeline import TimelineEntry, timeline
from admin.console.overview.live import FeatureShown, features_of
from admin.console.pulse import moment
from admin.console.render import Renderer
from admin.console.seen import Usual, seen_by_model
from admin.console.stream import Live, Topic
from admin.console.words import people
from operations.key_file import Role
from operations.views.device_events import DeviceEventView
from operations.views.device_history import LastReading
from operations.views.devices import DeviceView
from operations.views.labels import LabelFilter, LabelView
from operations.views.plant import PlantView
from zelador.alarms import Rule
from zelador.alarms.undo import UNDO_S
from zelador.errors import NotFound

PARTS = ("line", "actions", "state", "last", "events")  # macros; the ids of their elements begin with "dev-"
FOR_OPERATORS = ("actions",)
EVENTS = 8
READ_EVENTS = 20  # changes of its state; earlier ones tell how long an alarm lasted
LABELS = 8
USUAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Present:
    """What a device is and does now."""

    device: DeviceView
    newest: LastReading | None  # in the buffer, else in the archive
    is_reading: bool  # the archive is still being read for it
    last: tuple[tuple[FeatureShown, float], ...]  # its values, the oddest feature first
    usual: Mapping[str, Usual]  # feature to the usual values of this device
    seen: Mapping[str, Usual]  # feature to the middle 98 % of the values in training
    whole: frozenset[str]  # features of which `seen` has all values in training
    events: tuple[TimelineEntry, ...]
    all_events: int | None  # how many there are; None if that are more than were read
    now: PlantView
    names: Mapping[str, str]  # of people
    may_act: bool
    rule: Rule  # of its alarm
    silent_s: float | None  # after which it is silent; None if this depends on its usual gaps
    acknowledged: int | None  # when its alarm was acknowledged (ms since 1970 UTC), if that can be undone


@dataclass(frozen=True, slots=True)
class Past:
    """Changes of a device's state, and its labels, newest first."""

    events: tuple[DeviceEventView, ...]
    labels: tuple[LabelView, ...]


def look(console: Console, renderer: Renderer, topic: Topic, now: PlantView) -> Live:
    try:
        device = console.services.devices.device(topic.about)
    except NotFound:
        return Live({})
    shown = present(console, renderer, topic.role, device, now)
    parts = PARTS if shown.may_act else [part for part in PARTS if part not in FOR_OPERATORS]
    return Live({f"dev-{part}": renderer.macro("device/live.html", part, shown) for part in parts})


def present(console: Console, renderer: Renderer, role: Role, device: DeviceView, now: PlantView) -> Present:
    """Raises redis.RedisError."""
    name = device.device_id
    newest = newest_of(console, device)
    past = past_of(console, device)
    names = people(console.services, role)
    seen = seen_by_model(console, now)
    usual = usual_of(console, name)
    known = replace(seen, usual={**seen.usual, **usual})
    last = newest[0].values if newest else {}
    courses = console.window.courses().devices.get(name, {}) if len(last) > 1 else {}

    def oddness(shown: tuple[FeatureShown, float]) -> tuple[bool, float, bool]:
        feature, value = shown
        return known.oddness(feature.name, [*(each for _, each in courses.get(feature.name, ())), value])

    values = [(each, last[each.name]) for each in features_of(console) if each.name in last]
    found = timeline(renderer.language, past.events, past.labels, names, READ_EVENTS)
    return Present(
        device,
        newest[0] if newest else None,
        newest is None,
        tuple(sorted(values, key=oddness, reverse=True)),
        usual,
        seen.usual,
        seen.whole,
        found[:EVENTS],
        len(found) if len(past.events) < READ_EVENTS and len(past.labels) < LABELS else None,
        now,
        names,
        role != "viewer",
        now.rule_of(name),
        console.services.settings.alarm.silent_s,
        _undoable(device, now.at),
    )


def _undoable(device: DeviceView, now: int) -> int | None:
    if device.state != "acknowledged" or device.acknowledged_at is None:
        return None
    at = round(1_000 * moment(device.acknowledged_at))
    return at if now - at <= UNDO_S * 1_000 else None


def newest_of(console: Console, device: DeviceView) -> tuple[LastReading, ...] | None:
    """Returns the newest reading, or none; None while the archive is read for it. Raises redis.RedisError.

    The buffer has the newest readings of the plant, so those of a device that is silent are in the archive alone.
    """
    found = console.window.newest_of(device)
    if found or not device.readings:
        return tuple(LastReading(each["measured_at"], each["values"]) for each in found)
    try:
        return console.services.histories.last(device)
    except (redis.RedisError, OSError):
        return ()


def past_of(console: Console, device: DeviceView) -> Past:
    """Reads them again when the state of the device has changed. Raises redis.RedisError."""
    services, name = console.services, device.device_id

    def read() -> Past:
        labels = services.label_views.page(LABELS, 0, LabelFilter(name, undone=True))[0]
        return Past(tuple(services.device_events.page(READ_EVENTS, None, name)[0]), tuple(labels))

    mark = (device.state, device.since, device.acknowledged_at, device.shelved_until)
    return console.window.kept.unless_changed(("past", name), mark, read)


def usual_of(console: Console, name: str) -> Mapping[str, Usual]:
    def read() -> Mapping[str, Usual]:
        try:
            usual = console.services.histories.usual(name)
        except (redis.RedisError, OSError):
            return {}
        return {feature: (each["low"], each["high"]) for feature, each in usual.items()}

    return console.window.kept.get(("usual", name), USUAL_S, read)
