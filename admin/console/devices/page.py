"""The page of all devices, those that need attention first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Query, Response

from admin.access.roles import needs
from admin.console.charts import bounds
from admin.console.console import Console, Shown
from admin.console.overview.live import SHOWN_FEATURES, FeatureShown, features_of
from admin.console.page import go, pages, show, signed_in
from admin.console.seen import Usual, movement, seen_by_model
from admin.console.visitor import Visiting, Visitor
from admin.console.words import people
from operations.acts.devices import MAX_AT_ONCE
from operations.views.alarm_time import WEEK_MS
from operations.views.course import Courses
from operations.views.devices import DeviceView
from operations.views.plant import NOT_OK, PlantView
from zelador.alarms.state import State
from zelador.alarms.undo import UNDO_S

router = pages("devices")
by_state = pages("states")

PAGE_ROWS = 50
SHOWN: tuple[State, ...] = (*NOT_OK, "ok")
FILTERS: tuple[State, ...] = (*SHOWN, "retired")


@dataclass(frozen=True, slots=True)
class Devices:
    rows: list[DeviceView]
    total: int  # that match
    offset: int
    q: str
    state: str  # of the filter; empty: all but the retired
    states: tuple[State, ...]
    now: PlantView
    names: dict[str, str]
    features: tuple[FeatureShown, ...]  # the features that are shown; the first also as a line
    courses: Courses  # of the last hour
    usual: Mapping[str, Usual]
    axis: tuple[float, float]  # of the lines
    before: str | None  # path of the previous page
    after: str | None
    sort: str
    sorted: str  # path of the same devices, the longest in alarm first
    unsorted: str  # and those that need someone first
    undoable: (
        tuple[int, int, int] | None
    )  # alarms that this person acknowledged just now: how many, from when, until when
    known_since: int | None  # from when on the times in alarm are known, if that is not the whole week


@router.get("", **needs("viewer"))
def show_devices(
    console: Shown,
    visitor: Visiting,
    q: Annotated[str, Query(max_length=128)] = "",
    state: Literal["", "alarm", "unknown", "suspect", "acknowledged", "shelved", "ok", "retired"] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    sort: Literal["", "alarm_minutes"] = "",
) -> Response:
    if state and not q and not offset and not sort:
        return go(f"/console/states/{state}")
    return _list(console, visitor, q, state, offset, sort)


@by_state.get("/{state}", **needs("viewer"))
def show_devices_in(console: Shown, visitor: Visiting, state: State) -> Response:
    """Shows the devices in one state, at a URL without a query."""
    return _list(console, visitor, "", state, 0)


def _list(
    console: Console,
    visitor: Visitor,
    q: str,
    state: State | Literal[""],
    offset: int,
    sort: Literal["", "alarm_minutes"] = "",
) -> Response:
    states: tuple[State, ...] = (state,) if state else ()
    rows, total = console.services.devices.page(PAGE_ROWS, offset, states or SHOWN, q.strip() or None, sort or None)
    if not states and not rows and not q:  # no device was classified yet, so none has a state
        rows, total = console.services.devices.page(PAGE_ROWS, offset)

    def path(start: int, sort: str = sort) -> str:
        asked = {"q": q, "state": state, "sort": sort, "offset": start or ""}
        given = urlencode({name: value for name, value in asked.items() if value})
        return f"/console/devices?{given}" if given else "/console/devices"

    times = console.services.devices.alarm_times()

    now = console.plant.read()
    found, seen = console.window.courses(), seen_by_model(console, now)
    weight = seen.importance or _spread(found)
    features = tuple(sorted(features_of(console), key=lambda each: -weight.get(each.name, 0.0)))[:SHOWN_FEATURES]
    shown = [found.devices.get(row.device_id, {}).get(features[0].name, ()) for row in rows] if features else []
    lines = [value for points in shown for _, value in points]
    context = Devices(
        rows,
        total,
        offset,
        q,
        state,
        FILTERS,
        now,
        people(console.services) if signed_in(visitor).may("admin") else {},
        features,
        found,
        seen.usual,
        bounds([*lines, *(seen.usual.get(features[0].name, ()) if features else ())]),
        path(max(0, offset - PAGE_ROWS)) if offset else None,
        path(offset + PAGE_ROWS) if offset + PAGE_ROWS < total else None,
        sort,
        path(0, "alarm_minutes"),
        path(0, ""),
        _undoable(console, visitor, now.at) if state == "acknowledged" else None,
        times.since if times.until - times.since < WEEK_MS else None,
    )
    return show(console, visitor, "devices/page.html", context, section="devices")


def _undoable(console: Console, visitor: Visitor, now: int) -> tuple[int, int, int] | None:
    """Returns which acknowledgments of this person can still be undone together."""
    key = signed_in(visitor)
    said = visitor.said is not None and visitor.said.what == "acknowledged all"  # it has the same button
    if said or not key.may("operator"):
        return None
    since = now - round(1_000 * UNDO_S)
    found = console.services.devices.acknowledged_by(f"key {key.id}", since, now, MAX_AT_ONCE)
    return (len(found), min(found.values()), max(found.values())) if found else None


def _spread(found: Courses) -> dict[str, float]:
    """Returns how much each feature varies over all devices, relative to its size."""
    values: dict[str, list[float]] = {}
    for features in found.devices.values():
        for name, points in features.items():
            values.setdefault(name, []).extend(value for _, value in points)
    return {
        name: movement(sorted(each)[len(each) // 100 : -(len(each) // 100) or None]) for name, each in values.items()
    }


ROUTERS = (router, by_state)
