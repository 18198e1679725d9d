"""The parts of the overview, for the page and for its stream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import redis

from admin.console.console import Console
from admin.console.pulse import Sample, moment
from admin.console.render import Renderer
from admin.console.stream import Live, Topic
from admin.console.words import Event, people, sentence
from operations.key_file import ROLES, Role
from operations.views.plant import DeviceNow, PlantView
from operations.views.stream import Reading

FEED_ROWS = 10
SHOWN_DEVICES = 8
SHOWN_FEATURES = 3
EVENTS = 9
EVENTS_S = 2.0


@dataclass(frozen=True, slots=True)
class FeatureShown:
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A prediction with its reading's values, None where the reading is no longer in the buffer."""

    at: str
    device_id: str
    values: tuple[float | None, ...]
    label: str
    confidence: float | None
    latency_ms: float | None
    needs_maintenance: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """The newest readings of the device that needs someone first."""

    series: tuple[float, ...]
    feature: FeatureShown
    values: tuple[tuple[FeatureShown, float], ...]
    minutes: float


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the overview shows; the parts of the stream are macros with the same context."""

    now: PlantView
    sample: Sample | None  # the last one
    samples: tuple[Sample, ...]
    devices: tuple[DeviceNow, ...]  # those that need someone first
    features: tuple[FeatureShown, ...]
    feed: tuple[FeedRow, ...]
    evidence: Evidence | None
    events: tuple[Event, ...] | None  # None for those who may not see the audit log
    points: str  # the samples as JSON, for the charts


def features_of(console: Console) -> tuple[FeatureShown, ...]:
    settings = console.services.settings
    return tuple(FeatureShown(name, settings.field(name).unit or "") for name in settings.features)


def overview(console: Console, renderer: Renderer, role: Role, now: PlantView) -> Overview:
    samples = console.pulse.samples()
    try:
        feed = _feed(console, now)
        evidence = _evidence(console, now)
    except (redis.RedisError, OSError):
        feed, evidence = (), None
    return Overview(
        now,
        samples[-1] if samples else None,
        samples,
        _devices(now),
        features_of(console)[:SHOWN_FEATURES],
        feed,
        evidence,
        _events(console, renderer) if ROLES.index(role) >= ROLES.index("admin") else None,
        points(samples),
    )


def _devices(now: PlantView) -> tuple[DeviceNow, ...]:
    others = sorted((d for d in now.devices or () if not d.needs_maintenance), key=lambda device: device.device_id)
    return (*now.in_need, *others)[:SHOWN_DEVICES]


def points(samples: Sequence[Sample]) -> str:
    """The samples as uPlot takes them: times, then a list for each series."""
    columns: list[list[float | int | None]] = [[s.at for s in samples]]
    for name in ("rate", "p50_ms", "p99_ms"):
        values = (getattr(sample, name) for sample in samples)
        columns.append([None if value is None else round(value, 2) for value in values])
    return json.dumps(columns, separators=(",", ":"))


def look(console: Console, renderer: Renderer, topic: Topic, now: PlantView) -> Live:
    shown = overview(console, renderer, topic.role, now)
    regions = {
        name: renderer.macro("overview/parts.html", name, shown)
        for name in ("attention", "flow", "ledger", "states", "workers", "feed")
    }
    if shown.events is not None:
        regions["events"] = renderer.macro("overview/parts.html", "events", shown)
    return Live(regions, {"point": points(shown.samples[-1:])} if shown.samples else {})


def _feed(console: Console, now: PlantView) -> tuple[FeedRow, ...]:
    readings = console.window.readings()
    names = [feature.name for feature in features_of(console)[:SHOWN_FEATURES]]
    found = []
    for prediction in islice(console.window.predictions(), FEED_ROWS):
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
                now.positive is not None and prediction["label"] == now.positive,
            )
        )
    return tuple(found)


def _evidence(console: Console, now: PlantView) -> Evidence | None:
    """The feature that moved most in the newest readings of the first device in need, and its last values."""
    if not now.in_need:
        return None
    readings = console.window.of_device(now.in_need[0].device_id)
    if not readings:
        return None
    features = features_of(console)
    series = {f.name: [r["values"][f.name] for r in readings if f.name in r["values"]] for f in features}
    features = tuple(feature for feature in features if series[feature.name])
    if not features:
        return None
    moved = max(features, key=lambda feature: _movement(series[feature.name]))
    last = tuple((feature, series[feature.name][-1]) for feature in features)
    minutes = (moment(readings[-1]["measured_at"]) - moment(readings[0]["measured_at"])) / 60
    return Evidence(tuple(series[moved.name]), moved, last, max(0.0, minutes))


def _movement(values: Sequence[float]) -> float:
    """The range of the values, relative to their size."""
    size = max(abs(value) for value in values)
    return (max(values) - min(values)) / size if size else 0.0


def _events(console: Console, renderer: Renderer) -> tuple[Event, ...]:
    language = renderer.language

    def read() -> tuple[Event, ...]:
        names = people(console.services)
        newest = islice(console.services.audit.newest(), EVENTS)
        return tuple(
            Event(entry.at, sentence(language, names.get(entry.who, entry.who), entry.what, entry.target))
            for entry in newest
        )

    return console.window.kept.get(("events", language.tag), EVENTS_S, read)
