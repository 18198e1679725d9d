"""The page of all devices, those that need attention first."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Query, Response

from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.devices.live import MAX_OFFSET, Asked, Sort, Undoable, devices, read_rows, topic_of, with_newest
from admin.console.page import go, pages, show, signed_in
from admin.console.visitor import Visiting, Visitor
from operations.acts.devices import MAX_AT_ONCE
from zelador.alarms.state import State
from zelador.alarms.undo import UNDO_S

router = pages("devices")
by_state = pages("states")


@router.get("", **needs("viewer"))
def show_devices(
    console: Shown,
    visitor: Visiting,
    q: Annotated[str, Query(max_length=128)] = "",
    state: Literal["", "alarm", "unknown", "suspect", "acknowledged", "shelved", "ok", "retired"] = "",
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
    sort: Sort = "",
) -> Response:
    if state and not q and not offset and not sort:
        return go(f"/console/states/{state}")
    return _list(console, visitor, Asked(state, offset, q, sort))


@by_state.get("/{state}", **needs("viewer"))
def show_devices_in(console: Shown, visitor: Visiting, state: State) -> Response:
    """Shows the devices in one state, at a URL without a query."""
    return _list(console, visitor, Asked(state))


def _list(console: Console, visitor: Visitor, asked: Asked) -> Response:
    found, now = read_rows(console, asked), console.plant.read()
    courses = with_newest(console, console.window.courses(), found[0])
    context = devices(console, signed_in(visitor).role, asked, found, now, courses)
    if asked.state == "acknowledged":
        context = replace(context, undoable=_undoable(console, visitor, now.at))
    topic = topic_of(asked, now)
    live = "watch" if topic is None else f"devices?{urlencode({'about': topic})}"
    return show(console, visitor, "devices/page.html", context, section="devices", live=live)


def _undoable(console: Console, visitor: Visitor, now: int) -> Undoable | None:
    """Returns which acknowledgments of this person can still be undone together."""
    key = signed_in(visitor)
    is_said = visitor.said is not None and visitor.said.what == "acknowledged all"  # it has the same button
    if is_said or not key.may("operator"):
        return None
    since = now - round(1_000 * UNDO_S)
    found = console.services.devices.acknowledged_by(f"key {key.id}", since, now, MAX_AT_ONCE).values()
    return Undoable(len(found), min(found), max(found)) if found else None


ROUTERS = (router, by_state)
