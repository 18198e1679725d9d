"""Collects and renders the parts of the overview, for the page and for its stream."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import redis

from admin.console.console import Console
from admin.console.overview.lines import LineChart, line_charts, points
from admin.console.overview.setup import Setup, setup
from admin.console.pulse import Sample, moment
from admin.console.render import Renderer
from admin.console.seen import Usual, seen_by_model
from admin.console.stream import Live, Topic
from admin.console.words import Event, device_event, is_told, people, sentence
from operations.key_file import Role
from operations.views.devices import DeviceView
from operations.views.last_hour import INSTANTS
from operations.views.plant import PlantView
from operations.views.stream import Prediction, Reading

log = logging.getLogger(__name__)

FEED_ROWS = 10
ALARM_ROWS = 6
SHOWN_FEATURES = 3
EVENTS = 9
READ_EVENTS = 200  # of devices, because some of them are not told
ALSO = 4
EVENTS_S = 2.0
SETUP_PARTS = ("attention", "begun", "steps", "steps_done", "known", "flow", "ledger")
PARTS = ("attention", "known", "flow", "ledger", "states", "workers", "feed", "events")


@dataclass(frozen=True, slots=True)
class FeatureShown:
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A prediction with the values of its reading; None if the reading is no longer in the buffer."""

    at: str
    device_id: str
    values: tuple[float | None, ...]
    label: str
    confidence: float | None
    latency_ms: float | None
    needs_maintenance: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last hour of the first device in alarm. Times of `points` are in ms since 1970 UTC."""

    points: tuple[tuple[float, float], ...]  # time, value; oldest first
    feature: FeatureShown  # that is not usual, and counts most
    usual: Usual | None
    values: tuple[tuple[FeatureShown, float, Usual | None], ...]  # the last ones

    @property
    def minutes(self) -> float:
        return (self.points[-1][0] - self.points[0][0]) / 60_000


@dataclass(frozen=True, slots=True)
class Overview:
    """What the overview shows. The parts of the stream are macros with the same context."""

    now: PlantView
    sample: Sample | None  # the last one
    samples: tuple[Sample, ...]
    features: tuple[FeatureShown, ...]
    feed: tuple[FeedRow, ...]
    evidence: Evidence | None
    usual: Mapping[str, Usual]  # feature to its usual values
    lead: FeatureShown | None  # the feature that counts most
    last: Mapping[str, float]  # device to its last value of that feature
    also: tuple[DeviceView, ...]  # other devices that need attention
    events: tuple[Event, ...]  # of devices; for admins, also of people's changes
    names: dict[str, str]  # of people, for admins
    lines: Mapping[str, LineChart]  # the charts by name
    points: str  # the samples as JSON, for the charts
    may_act: bool
    setup: Setup | None  # while no model is selected


def features_of(console: Console) -> tuple[FeatureShown, ...]:
    settings = console.services.settings
    return tuple(FeatureShown(name, settings.field(name).unit or "") for name in settings.features)


def overview(console: Console, renderer: Renderer, role: Role, now: PlantView) -> Overview:
    samples = console.pulse.samples()
    lines = line_charts(renderer.language, samples)
    is_admin = role == "admin"
    feed: tuple[FeedRow, ...] = ()
    evidence: Evidence | None = None
    last: Mapping[str, float] = {}
    seen = seen_by_model(console, now)
    features = features_of(console)
    lead = max(features, key=lambda each: seen.importance.get(each.name, 0.0), default=None)
    if now.ledger is not None:
        try:
            feed, evidence = _feed(console, now), _evidence(console, now)
            last = {} if lead is None else _last(console, now, lead.name, evidence)
        except (redis.RedisError, OSError):
            log.debug("Redis stopped answering")
    return Overview(
        now,
        samples[-1] if samples else None,
        samples,
        features[:SHOWN_FEATURES],
        feed,
        evidence,
        seen.usual,
        lead,
        last,
        _also(now),
        _events(console, renderer, is_admin, now.ledger is not None),
        people(console.services) if is_admin else {},
        lines,
        points(samples, lines),
        role != "viewer",
        setup(console, now, samples[-1].rate if samples else None) if is_setup(now) else None,
    )


def is_setup(now: PlantView) -> bool:
    """True while no model is selected; False if that is not known."""
    return now.selection is None and now.models is not None


def _also(now: PlantView) -> tuple[DeviceView, ...]:
    """Returns other devices that need attention. Without a model, each is unknown: that says nothing of a device."""
    if now.selection is None:
        return ()
    others = [device for device in now.not_ok or () if device not in now.in_alarm[:1]]
    if now.is_fleet_silent:  # one event, which is said above them
        others = [device for device in others if device.state != "unknown"]
    return tuple(others[:ALSO])


def _last(console: Console, now: PlantView, feature: str, evidence: Evidence | None) -> dict[str, float]:
    """Returns the last known value of each device that is not OK; of the one above the list, the value there."""
    found = console.window.courses().devices
    points = {each.device_id: found.get(each.device_id, {}).get(feature, ()) for each in now.not_ok or ()}
    last = {device: course[-1][1] for device, course in points.items() if course}
    for reading in reversed(console.window.readings().values()):  # the newest last
        if reading["device_id"] in points and feature in reading["values"]:
            last[reading["device_id"]] = reading["values"][feature]
    for shown, value, _ in () if evidence is None else evidence.values:
        if shown.name == feature:
            last[now.in_alarm[0].device_id] = value
    return last


def look(console: Console, renderer: Renderer, topic: Topic, now: PlantView) -> Live:
    shown = overview(console, renderer, topic.role, now)
    regions = {name: renderer.macro("overview/parts.html", name, shown) for name in PARTS}
    return Live(regions, {"point": points(shown.samples[-1:], shown.lines)} if shown.samples else {})


def look_setup(console: Console, renderer: Renderer, topic: Topic, now: PlantView) -> Live:
    """Renders the overview while no model is selected. Once one is, the page is loaded again."""
    if now.selection is not None:
        return Live({}, {"ended": "selected"})
    shown = overview(console, renderer, topic.role, now)
    return Live({name: renderer.macro("overview/parts.html", name, shown) for name in SETUP_PARTS})


def _feed(console: Console, now: PlantView) -> tuple[FeedRow, ...]:
    readings = console.window.readings()
    names = [feature.name for feature in features_of(console)[:SHOWN_FEATURES]]
    found = []
    for prediction in _sampled(console.window.predictions(), now):
        reading: Reading | None = readings.get(prediction["reading_id"])
        took = None
        if reading is not None:
            took = 1000 * max(0.0, moment(prediction["predicted_at"]) - moment(reading["received_at"]))
        found.append(
            FeedRow(
                prediction["predicted_at"],
                prediction["device_id"],
                tuple(None if reading is None else reading["values"].get(name) for name in names),
                prediction["label"],
                prediction["confidence"],
                took,
                now.is_alarm(prediction["label"]),
            )
        )
    return tuple(found)


def _sampled(predictions: Sequence[Prediction], now: PlantView) -> list[Prediction]:
    """Returns the newest predictions, newest first. Those that need attention fill up to ALARM_ROWS of the rows."""
    alarms = [each for each in predictions if now.is_alarm(each["label"])][:ALARM_ROWS]
    wanted = {each["id"] for each in alarms}
    others = [each for each in predictions if each["id"] not in wanted][: FEED_ROWS - len(alarms)]
    return [each for each in predictions if each in alarms or each in others]


def _evidence(console: Console, now: PlantView) -> Evidence | None:
    """Returns the feature that is not usual, and counts most, in the newest readings of the first device in alarm."""
    if not now.in_alarm:
        return None
    device = now.in_alarm[0].device_id
    readings = console.window.of_device(device)
    if not readings:
        return None
    seen = seen_by_model(console, now)
    series: dict[str, list[tuple[float, float]]] = {}
    for reading in readings:
        for name, value in reading["values"].items():
            series.setdefault(name, []).append((1000 * moment(reading["received_at"]), value))
    features = [feature for feature in features_of(console) if feature.name in series]
    if not features:
        return None
    odd = max(features, key=lambda each: seen.oddness(each.name, [value for _, value in series[each.name]]))
    newest = series[odd.name]
    earlier = console.window.courses().devices.get(device, {}).get(odd.name, ())
    points = evenly((*(each for each in earlier if each[0] < newest[0][0]), *newest))
    features.sort(key=lambda feature: feature is not odd)
    last = tuple((feature, series[feature.name][-1][1], seen.usual.get(feature.name)) for feature in features)
    return Evidence(points, odd, seen.usual.get(odd.name), last)


def evenly(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Returns points that are at least one sample of the period apart, with the newest.

    The newest readings may be a second apart and the samples before them a minute: all of them would be a block at the
    right edge. Pure.
    """
    found: list[tuple[float, float]] = []
    apart = (points[-1][0] - points[0][0]) / INSTANTS if points else 0.0
    for point in reversed(points):
        if not found or found[-1][0] - point[0] >= apart:
            found.append(point)
    return tuple(reversed(found))


def _events(console: Console, renderer: Renderer, is_admin: bool, has_redis: bool) -> tuple[Event, ...]:
    language, services = renderer.language, console.services

    def read() -> tuple[Event, ...]:
        names = people(services) if is_admin else {}
        try:
            events = services.device_events.page(READ_EVENTS)[0] if has_redis else []
            told = [device_event(language, event, names) for event in events if is_told(event)][:EVENTS]
            known = services.devices.known([event.device_id for event in told])
            found = [event if event.device_id in known else replace(event, device_id="") for event in told]
        except (redis.RedisError, OSError):
            found = []
        if is_admin:
            for entry in islice(services.audit.newest(), EVENTS):
                if not entry.what.startswith(("device ", "alarm ")):  # among the devices' own
                    found.append(Event(entry.at, sentence(language, names, entry)))
        return tuple(sorted(found, key=lambda event: event.at, reverse=True)[:EVENTS])

    return console.window.kept.get(("events", language.tag, is_admin, has_redis), EVENTS_S, read)
