"""The page of one device: its state, readings and labels, and what an operator can do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Query, Response
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.charts import LaneStep
from admin.console.console import Console, Shown
from admin.console.labels.page import Done, choices_of, done_of
from admin.console.overview.live import FeatureShown, features_of
from admin.console.page import go, pages, renderer, show, signed_in
from admin.console.pulse import moment
from admin.console.seen import Usual, seen_by_model
from admin.console.visitor import Visiting, Visitor
from admin.console.words import people
from operations.acts import devices as acts
from operations.views.device_events import DeviceEventView
from operations.views.devices import DeviceView
from operations.views.labels import LabelFilter, LabelView
from operations.views.plant import PlantView
from operations.views.stream import Reading
from zelador.alarms import Rule
from zelador.clock import now_ms
from zelador.labels.rules import MAX_ID

router = pages("devices")

DeviceId = Annotated[str, InPath(max_length=512)]
EVENTS = 20
LABELS = 8
POINTS = 240
DRAWN = 80
MIN_POINTS = 10  # fewer readings after a long pause are drawn with those before it
SHELVE_HOURS = (1, 8, 24)  # for which one press of a button shelves a device


@dataclass(frozen=True, slots=True)
class Series:
    """The newest values of a feature, oldest first."""

    feature: FeatureShown
    values: tuple[float, ...]

    @property
    def drawn(self) -> tuple[float, ...]:
        """About DRAWN values, for the chart without JavaScript; the newest is among them."""
        return self.values[:: -max(1, len(self.values) // DRAWN)][::-1]


@dataclass(frozen=True, slots=True)
class DevicePage:
    device: DeviceView
    readings: tuple[Reading, ...]  # oldest first
    series: tuple[Series, ...]
    lane: tuple[LaneStep, ...]
    events: tuple[DeviceEventView, ...]
    now: PlantView
    names: dict[str, str]
    may_act: bool
    hours: tuple[int, ...]
    labels: tuple[LabelView, ...]  # the newest labels of this device
    done: Done | None
    choices: tuple[str, ...]  # labels to choose from
    points: str  # of the charts, as JSON
    rule: Rule  # of its alarm
    silent_s: float | None  # after which it is silent; None if this depends on its usual gaps
    usual: Mapping[str, Usual]  # feature to its usual values
    paused: str | None  # when the last reading before a long pause was measured; those until then are not shown
    trouble: str | None  # when it stopped being OK, if its last events show that


@router.get("/{device}", **needs("viewer"))
def show_device(
    device: DeviceId, console: Shown, visitor: Visiting, done: Annotated[str, Query(max_length=MAX_ID)] = ""
) -> Response:
    return _show(console, visitor, device, "device/page.html", done)


@router.get("/{device}/readings", **needs("viewer"))
def show_readings(device: DeviceId, console: Shown, visitor: Visiting) -> Response:
    """Shows the charts as a table."""
    return _show(console, visitor, device, "device/readings.html")


@router.get("/{device}/shelve", **needs("operator"))
def confirm_shelving(device: DeviceId, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, device, "device/shelve.html")


@router.get("/{device}/retire", **needs("operator"))
def confirm_retirement(device: DeviceId, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, device, "device/retire.html")


@router.post("/{device}/acknowledge", **needs("operator"))
def acknowledge(
    device: DeviceId, console: Shown, actor: Acting, back: Annotated[str, Form(max_length=10)] = ""
) -> Response:
    acts.acknowledge(actor, console.services.device_states, device)
    return go("/console/overview") if back == "overview" else _to(device)


@router.post("/{device}/shelve", **needs("operator"))
def shelve(
    device: DeviceId,
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    hours: Annotated[int, Form(ge=1, le=8_784)] = 1,
    until: Annotated[str, Form(max_length=20)] = "",
    why: Annotated[str, Form(max_length=acts.MAX_WHY)] = "",
) -> Response:
    end = now_ms() + hours * 3_600_000
    if until.strip():
        end = renderer(console, visitor).language.typed(until.strip(), "until")
    acts.shelve(actor, console.services.device_states, device, end, why)
    return _to(device)


@router.post("/{device}/unshelve", **needs("operator"))
def unshelve(device: DeviceId, console: Shown, actor: Acting) -> Response:
    acts.unshelve(actor, console.services.device_states, device)
    return _to(device)


@router.post("/{device}/retire", **needs("operator"))
def retire(device: DeviceId, console: Shown, actor: Acting) -> Response:
    acts.retire(actor, console.services.device_states, device)
    return _to(device)


@router.post("/{device}/restore", **needs("operator"))
def restore(device: DeviceId, console: Shown, actor: Acting) -> Response:
    acts.restore(actor, console.services.device_states, device)
    return _to(device)


def lane_of(events: tuple[DeviceEventView, ...], begin: float, end: float) -> tuple[LaneStep, ...]:
    """Returns the states between two times (seconds since 1970 UTC). `events` are newest first."""
    if end <= begin:
        return ()
    times = [(moment(event.at), event) for event in reversed(events)]
    inside = [(at, event.state) for at, event in times if at > begin]
    earlier = [event.state for at, event in times if at <= begin]
    first = earlier[-1] if earlier else next((event.before for at, event in times if at > begin), "")
    marks = [(begin, first), *inside, (end, "")]
    steps = ((a, b) for a, b in pairwise(marks) if a[1])
    return tuple(LaneStep(a[1], (a[0] - begin) / (end - begin), (b[0] - begin) / (end - begin)) for a, b in steps)


def after_pause(times: Sequence[float]) -> int:
    """Returns the index of the first time after a pause that fills the chart and squeezes what follows it, or 0."""
    found = 0
    for index in range(1, len(times) - MIN_POINTS + 1):
        pause = times[index] - times[index - 1]
        if 4 * pause > times[-1] - times[0] and pause > 4 * (times[-1] - times[index]):
            found = index
    return found


def trouble_since(events: Sequence[DeviceEventView]) -> str | None:
    """Returns when the device stopped being OK. `events` are newest first; None if it is OK, or was shelved since."""
    trouble = takewhile(lambda event: event.state in ("suspect", "alarm", "acknowledged"), events)
    return min((event.at for event in trouble), default=None)


def points(readings: Sequence[Reading], names: Sequence[str], now: PlantView, lane: Sequence[LaneStep]) -> str:
    """Returns the charts as JSON for uPlot: times, a list for each feature, which readings are labeled, and alarms."""
    times = [round(moment(reading["measured_at"]), 3) for reading in readings]
    columns: dict[str, Any] = {name: [_short(reading["values"].get(name)) for reading in readings] for name in names}
    labels = [[begin, end, label, now.is_alarm(label)] for begin, end, label in labeled_spans(readings)]
    span = times[-1] - times[0] if times else 0.0
    alarms = [
        [round(times[0] + span * at, 3) for at in (step.begin, step.end)]
        for step in lane
        if step.state in ("alarm", "acknowledged")
    ]
    return json.dumps({"at": times, "values": columns, "labels": labels, "alarms": alarms}, separators=(",", ":"))


def _short(value: float | None) -> float | None:
    """Rounds a value to as many digits as a chart can show."""
    return None if value is None else float(f"{value:.5g}")


def labeled_spans(readings: Sequence[Reading]) -> Iterator[tuple[float, float, str]]:
    """Yields stretches of readings with the same label: begin, end (seconds since 1970 UTC) and label."""
    for label, group in groupby(readings, key=lambda reading: reading["label"]):
        times = [moment(reading["measured_at"]) for reading in group]
        if label is not None:
            yield times[0], times[-1], label


def _show(
    console: Console,
    visitor: Visitor,
    name: str,
    template: str,
    done: str = "",
) -> Response:
    services = console.services
    key, now = signed_in(visitor), console.plant.read()
    device = services.devices.device(name)
    newest = sorted(services.recent.readings(POINTS, None, name)[0], key=lambda each: each["measured_at"])
    start = after_pause([moment(each["measured_at"]) for each in newest])
    readings = tuple(newest[start:])
    features = features_of(console)
    named = ((f, tuple(r["values"][f.name] for r in readings if f.name in r["values"])) for f in features)
    seen = seen_by_model(console, now)
    found = [each for each in named if each[1]]
    found.sort(key=lambda each: seen.oddness(each[0].name, each[1]), reverse=True)
    events = tuple(services.device_events.page(EVENTS, None, name)[0])
    span = (moment(readings[0]["measured_at"]), moment(readings[-1]["measured_at"])) if readings else (0.0, 0.0)
    lane = lane_of(events, *span)
    context = DevicePage(
        device,
        readings,
        tuple(Series(feature, values) for feature, values in found),
        lane,
        events,
        now,
        people(services) if key.may("admin") else {},
        key.may("operator"),
        SHELVE_HOURS,
        tuple(services.label_views.page(LABELS, 0, LabelFilter(name, undone=True))[0]),
        done_of(console, done) if done else None,
        choices_of(now, services.label_views.summary()),
        points(readings, [feature.name for feature in features], now, lane),
        now.rule_of(name),
        services.settings.alarm.silent_s,
        seen.usual,
        newest[start - 1]["measured_at"] if start else None,
        trouble_since(events),
    )
    return show(console, visitor, template, context, section="devices")


def _to(device: str) -> Response:
    return go(f"/console/devices/{quote(device, safe='')}")


ROUTERS = (router,)
