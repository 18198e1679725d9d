"""The page with all events of a device: changes of its state, and its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import Path as InPath
from fastapi import Query, Response

from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.device.timeline import TimelineEntry, timeline
from admin.console.language import Language
from admin.console.page import pages, renderer, show, signed_in
from admin.console.pulse import moment
from admin.console.visitor import Visiting
from admin.console.words import people
from operations.views.device_events import DeviceEventView
from operations.views.devices import DeviceView
from operations.views.labels import LabelFilter, LabelView

router = pages("devices")

PAGE_EVENTS = 100  # changes of the state
CONTEXT = 20  # earlier changes, which tell how long an alarm lasted
MAX_LABELS = 1_000


@dataclass(frozen=True, slots=True)
class EventsPage:
    device: DeviceView
    events: tuple[TimelineEntry, ...]
    is_newest: bool
    earlier: str | None  # path


@router.get("/{device}/events", **needs("viewer"))
def show_events(
    device: Annotated[str, InPath(max_length=512)],
    console: Shown,
    visitor: Visiting,
    before: Annotated[str | None, Query(max_length=40, pattern=r"^\d{1,16}-\d{1,16}$")] = None,
) -> Response:
    services, language = console.services, renderer(console, visitor).language
    found = services.devices.device(device)
    changes, _ = services.device_events.page(PAGE_EVENTS + CONTEXT, before, device)
    labels = services.label_views.page(MAX_LABELS, 0, LabelFilter(device, undone=True))[0]
    names = people(services, signed_in(visitor).role)
    has_more = len(changes) > PAGE_EVENTS
    path = f"/console/devices/{quote(device, safe='')}/events"
    context = EventsPage(
        found,
        entries(language, changes, labels, names, before),
        before is None,
        f"{path}?{urlencode({'before': changes[PAGE_EVENTS - 1].id})}" if has_more else None,
    )
    return show(console, visitor, "device/events.html", context, section="devices")


def entries(
    language: Language,
    changes: Sequence[DeviceEventView],
    labels: Sequence[LabelView],
    names: Mapping[str, str],
    before: str | None,
) -> tuple[TimelineEntry, ...]:
    """Returns the first changes, with what happened to labels between the pages before and after. Pure."""
    everything = timeline(language, changes, labels, names, len(changes) + 2 * len(labels) + 1)
    begin = _time_of(changes[PAGE_EVENTS - 1].id) if len(changes) > PAGE_EVENTS else 0.0
    end = float("inf") if before is None else _time_of(before)
    kept = list(islice((each for each in everything if each.state), PAGE_EVENTS))
    kept += [each for each in everything if not each.state and begin <= moment(each.at) < end]
    return tuple(sorted(kept, key=lambda each: each.at, reverse=True))


def _time_of(identity: str) -> float:
    """Returns when an event was written, in seconds since 1970 UTC."""
    return int(identity.partition("-")[0]) / 1000


ROUTERS = (router,)
