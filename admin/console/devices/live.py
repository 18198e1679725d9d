"""The list of devices, for its page and for its stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from admin.console.charts import bounds
from admin.console.console import Console
from admin.console.overview.live import SHOWN_FEATURES, FeatureShown, features_of
from admin.console.pulse import moment
from admin.console.render import Renderer
from admin.console.seen import Usual, movement, seen_by_model
from admin.console.stream import Live, Topic
from admin.console.words import people
from operations.key_file import Role
from operations.views.alarm_time import WEEK_MS
from operations.views.devices import DeviceView
from operations.views.last_hour import Courses
from operations.views.plant import NOT_OK, PlantView
from operations.views.stream import Reading
from zelador.alarms.state import State

PAGE_ROWS = 50
MAX_OFFSET = 10_000_000
NO_DEVICE = ""  # what the stream is about until there is a device
ROWS_S = 1.0  # how often the stream reads the rows
STATE_ORDER: tuple[State, ...] = (*NOT_OK, "ok")
FILTERS: tuple[State, ...] = (*STATE_ORDER, "retired")

Sort = Literal["", "alarm_minutes"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which devices are asked for."""

    state: State | Literal[""] = ""  # empty: all but the retired
    offset: int = 0
    q: str = ""
    sort: Sort = ""

    def path(self, start: int, sort: Sort) -> str:
        asked = {"q": self.q, "state": self.state, "sort": sort, "offset": start or ""}
        if self.state and not (self.q or sort or start):
            return f"/console/states/{self.state}"
        given = urlencode({name: value for name, value in asked.items() if value})
        return f"/console/devices?{given}" if given else "/console/devices"


@dataclass(frozen=True, slots=True)
class Undoable:
    """Alarms that the visitor acknowledged a moment ago."""

    count: int
    since: int  # ms since 1970 UTC
    until: int


@dataclass(frozen=True, slots=True)
class Devices:
    rows: list[DeviceView]
    total: int  # that match
    offset: int
    q: str
    state: str  # of the filter; empty: all but the retired
    states: tuple[State, ...]
    now: PlantView
    names: Mapping[str, str]
    may_act: bool
    is_live: bool
    features: tuple[FeatureShown, ...]  # the features that are shown; the first also as a line
    courses: Courses  # of the last hour
    usual: Mapping[str, Usual]  # feature to the middle 98 % of the values in training
    whole: frozenset[str]  # features of which `usual` has all values in training
    axis: tuple[float, float]  # of the lines
    again: str  # path of this page
    before: str | None  # path of the previous page
    after: str | None
    sort: str
    sorted: str  # path of the same devices, the longest in alarm first
    unsorted: str  # and those that need someone first
    known_since: int | None  # from when on the times in alarm are known, if that is not the whole week
    undoable: Undoable | None = None

    @property
    def in_use(self) -> int | None:
        """How many devices are not retired; None if Redis does not answer."""
        now = self.now
        return None if now.counts is None else sum(now.counts.values()) - now.counts["retired"] + now.unclassified


def topic_of(asked: Asked, now: PlantView) -> str | None:
    """Returns what the stream of a list is about; None if the list is not live.

    What is searched or sorted is not: it takes a look at all devices.
    """
    if asked.q or asked.sort:
        return None
    return f"{asked.state}:{asked.offset}" if asked.state or now.device_count else NO_DEVICE


def asked_in(about: str) -> Asked | None:
    """The reverse of `topic_of`; None for anything else."""
    name, _, start = about.partition(":")
    state = next((each for each in FILTERS if each == name), None)
    if (name and state is None) or not (start.isascii() and start.isdecimal() and len(start) < 10):
        return None
    return Asked(state or "", min(int(start), MAX_OFFSET))


def look(console: Console, renderer: Renderer, topic: Topic, now: PlantView) -> Live:
    if topic.about == NO_DEVICE:  # once there is one, the page is loaded again
        return Live({}, {"ended": "devices"} if now.device_count else {})
    asked = asked_in(topic.about)
    if asked is None:
        return Live({})
    kept = console.window.kept
    found = kept.get(("rows", asked), ROWS_S, lambda: read_rows(console, asked))
    courses = console.window.courses()
    shown = devices(console, topic.role, asked, found, now, courses)

    def macro(name: str) -> str:
        return renderer.macro("devices/live.html", name, shown)

    def rows_now() -> str:
        newest = devices(console, topic.role, asked, found, now, with_newest(console, courses, found[0]))
        return renderer.macro("devices/live.html", "rows", newest)

    # A reading alone does not send the rows again: values and times of the last readings follow with the courses.
    states = tuple((row.device_id, row.state, row.since, row.reason, row.acknowledged_at) for row in found[0])
    mark = (states, found[1], courses, tuple(shown.features))
    rows = kept.unless_changed(("html of rows", topic), mark, rows_now)
    regions = {"list-head": macro("head"), "list-counts": macro("counts"), "list-rows": rows}
    return Live({**regions, "list-actions": macro("actions")} if shown.may_act else regions)


def read_rows(console: Console, asked: Asked) -> tuple[list[DeviceView], int]:
    """Reads the rows of the list, and how many devices match. Raises redis.RedisError."""
    states: tuple[State, ...] = (asked.state,) if asked.state else ()
    read, q = console.services.devices.page, asked.q.strip()
    rows, total = read(PAGE_ROWS, asked.offset, states or STATE_ORDER, q or None, asked.sort or None)
    if not states and not rows and not q:  # no device was classified yet, so none has a state
        return read(PAGE_ROWS, asked.offset)
    return rows, total


def with_newest(console: Console, found: Courses, rows: Sequence[DeviceView]) -> Courses:
    """Returns the courses with the newest readings of the rows: a device in alarm shows what raised the alarm."""
    wanted = {row.device_id: found.devices.get(row.device_id, {}) for row in rows}
    newest: dict[str, Reading] = {}
    for reading in console.window.readings(0.0).values():  # as the state may be newer than what is kept
        if reading["device_id"] in wanted:
            newest.setdefault(reading["device_id"], reading)
    for device, reading in newest.items():
        at = round(1_000 * moment(reading["received_at"]))
        lines = dict(wanted[device])
        for name, value in reading["values"].items():
            before = [point for point in lines.get(name, ()) if point[0] < at]  # a sample stands at the end of its time
            lines[name] = (*before, (at, value))
        wanted[device] = lines
    return Courses(found.since, {**found.devices, **wanted})


def devices(
    console: Console, role: Role, asked: Asked, found: tuple[list[DeviceView], int], now: PlantView, courses: Courses
) -> Devices:
    """Raises redis.RedisError."""
    rows, total = found
    times = console.services.devices.alarm_times()
    seen = seen_by_model(console, now)
    sampled = console.window.courses()
    weight = seen.importance or console.window.kept.unless_changed("spread", sampled, lambda: _spread(sampled))
    features = tuple(sorted(features_of(console), key=lambda each: -weight.get(each.name, 0.0)))[:SHOWN_FEATURES]
    shown = [courses.devices.get(row.device_id, {}).get(features[0].name, ()) for row in rows] if features else []
    lines = [value for points in shown for _, value in points]
    offset = asked.offset
    return Devices(
        rows,
        total,
        offset,
        asked.q,
        asked.state,
        FILTERS,
        now,
        people(console.services, role),
        role != "viewer",
        topic_of(asked, now) is not None,
        features,
        courses,
        seen.usual,
        seen.whole,
        bounds([*lines, *(seen.usual.get(features[0].name, ()) if features else ())]),
        asked.path(offset, asked.sort),
        asked.path(max(0, offset - PAGE_ROWS), asked.sort) if offset else None,
        asked.path(offset + PAGE_ROWS, asked.sort) if offset + PAGE_ROWS < total else None,
        asked.sort,
        asked.path(0, "alarm_minutes"),
        asked.path(0, ""),
        times.since if times.until - times.since < WEEK_MS else None,
    )


def _spread(found: Courses) -> dict[str, float]:
    """Returns how much each feature varies over all devices, relative to its size."""
    values: dict[str, list[float]] = {}
    for features in found.devices.values():
        for name, points in features.items():
            values.setdefault(name, []).extend(value for _, value in points)
    return {
        name: movement(sorted(each)[len(each) // 100 : -(len(each) // 100) or None]) for name, each in values.items()
    }
