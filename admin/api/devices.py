"""/v1/devices: lists devices with their states, events and history; acknowledges, shelves and retires them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.api.moments import Moment
from admin.api.readings import Limit
from admin.document.answers import Next, NextOffset, answer
from admin.document.problems import responses
from admin.services import Held
from operations.acts import devices as acts
from operations.acts.devices import MAX_WHY
from operations.views.device_events import DeviceEventView
from operations.views.device_history import MAX_BUCKETS, HistoryView
from operations.views.devices import STATE_TEXT, DeviceView, Sort
from zelador.alarms.state import State
from zelador.alarms.undo import UNDO_S
from zelador.clock import now_ms
from zelador.messages import iso

router = APIRouter(route_class=Route, prefix="/v1/devices", tags=["stream"])

EXAMPLE = {
    "device_id": "press-07",
    "state": "alarm",
    "since": "2026-11-24T09:58:11.120Z",
    "reason": None,
    "alarm_label": "yes",
    "alarm_probability": 0.97,
    "alarm_model": "RandomForest_20261124_120432",
    "alarm_reading_id": "press-07-001209",
    "acknowledged_by": None,
    "acknowledged_at": None,
    "alarm_minutes": 41.5,
    "shelved_until": None,
    "shelved_by": None,
    "retired_by": None,
    "silent_since": None,
    "heard_at": "2026-11-24T10:00:00.004Z",
    "readings": 1_204,
    "label": "yes",
    "confidence": 0.97,
    "predicted_at": "2026-11-24T10:00:00.006Z",
    "model": "RandomForest_20261124_120432",
    "seq": 1_210,
    "missing": 6,
    "gaps": [[14, 19]],
    "restarts": 0,
    "repeats": 0,
    "repeating": False,
}

SOON = f"{datetime.now(timezone.utc) + timedelta(days=180):%Y-%m-%dT06:00:00Z}"  # an example that can be sent
SINCE = "2026-11-17T10:00:00.000Z"

DeviceId = Annotated[str, InPath(description="The device's id, as in the topic.", examples=["press-07"])]
DEFAULT_SPAN_MS = 6 * 3_600_000
EVENT = {
    "id": "1795514291120-0",
    "at": "2026-11-24T09:58:11.120Z",
    "device_id": "press-07",
    "before": "suspect",
    "state": "alarm",
    "by": None,
    "why": None,
    "label": "yes",
    "probability": 0.97,
    "model": "RandomForest_20261124_120432",
    "reading_id": "press-07-001209",
}
BeforeEvent = Annotated[
    str | None, Query(pattern="^[1-9][0-9]{0,18}-[0-9]{1,18}$", description="`next` of the previous page.")
]
HISTORY = {
    "device_id": "press-07",
    "from": "2026-11-24T04:00:00.000Z",
    "to": "2026-11-24T10:00:00.000Z",
    "step_ms": 90_000,
    "features": ["lux", "temperature", "vibration"],
    "readings": 21_600,
    "buckets": [
        {
            "at": "2026-11-24T04:00:00.000Z",
            "readings": 90,
            "values": {"vibration": {"min": 0.71, "mean": 0.8, "max": 0.93}},
        }
    ],
    "labels": [{"from": "2026-11-24T05:26:00.000Z", "to": "2026-11-24T05:54:00.000Z", "label": "yes", "given": True}],
    "states": [{"from": "2026-11-24T04:00:00.000Z", "to": "2026-11-24T10:00:00.000Z", "state": "ok"}],
    "usual": {"vibration": {"low": 0.69, "high": 0.93}},
    "notes": [],
}
CHANGED: dict[int | str, dict[str, object]] = {**answer(200, "The device after it.", EXAMPLE), **responses(404, 409)}


class EventPage(TypedDict):
    """A page of events."""

    events: Annotated[list[DeviceEventView], Field(description="Newest first.")]
    next: Next


class Shelving(BaseModel):
    """How long a device is shelved, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"until": SOON, "why": "bearing on order"}]},
    )

    until: Annotated[Moment, Field(description="Until when, ISO 8601 with a zone; at most a year ahead.")]
    why: Annotated[str, Field(description="The reason.", max_length=MAX_WHY)] = ""


class AlarmsBody(BaseModel):
    """Which alarms are acknowledged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"until": "2026-11-24T10:00:00Z"}]})

    until: Annotated[
        Moment | None,
        Field(description="Only alarms that were raised until then, such as when the list was read; null: now."),
    ] = None


class AcknowledgedView(TypedDict):
    """What was acknowledged."""

    devices: Annotated[list[str], Field(description="The devices, the oldest alarm first.")]
    left: Annotated[int, Field(description="Devices that are still in alarm and not acknowledged.")]


class UndoneBody(BaseModel):
    """Whose acknowledgments are undone."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"devices": ["press-07", "mill-03"]}]})

    devices: Annotated[
        list[str],
        Field(description="The devices, as `acknowledge` answered.", min_length=1, max_length=acts.MAX_AT_ONCE),
    ]


class UnacknowledgedView(TypedDict):
    """Which acknowledgments were undone."""

    devices: Annotated[list[str], Field(description="The devices whose alarms need somebody again.")]
    left: Annotated[
        list[str],
        Field(description="Those that were left as they are: the alarm ended, or was acknowledged too long ago."),
    ]


class DevicePage(TypedDict):
    """A page of devices."""

    devices: Annotated[list[DeviceView], Field(description="Most recently heard first.")]
    total: Annotated[int, Field(description="Number of devices on all pages.")]
    alarm_minutes_since: Annotated[
        str,
        Field(
            description="From when on `alarm_minutes` are known: 7 days ago, or later if there were more changes of "
            "states than are kept; ISO 8601, UTC."
        ),
    ]
    next: NextOffset


@router.get(
    "",
    summary="List devices",
    description="Without `state`, the most recently heard first. With `state` (it may be repeated), only devices in "
    "these states, in the order given, and in each the newest change first: "
    "`?state=alarm&state=unknown&state=suspect` lists the devices that need attention.",
    responses=answer(
        200, "A page of devices.", {"devices": [EXAMPLE], "total": 1, "alarm_minutes_since": SINCE, "next": None}
    ),
    **needs("viewer"),
)
def list_devices(
    services: Held,
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the previous page.")] = 0,
    state: Annotated[list[State] | None, Query(description=STATE_TEXT, max_length=7)] = None,
    q: Annotated[str | None, Query(description="Only ids that contain this text.", max_length=128)] = None,
    sort: Annotated[
        Sort | None, Query(description="alarm_minutes: the longest in alarm first, then the others.")
    ] = None,
) -> DevicePage:
    found, total = services.devices.page(limit, offset, state or (), q, sort)
    since = iso(services.devices.alarm_times().since)
    end = offset + limit
    return {"devices": found, "total": total, "alarm_minutes_since": since, "next": end if end < total else None}


@router.post(
    "/acknowledge",
    summary="Acknowledge all alarms: someone is taking care of them",
    description=f"The oldest alarms first, at most {acts.MAX_AT_ONCE} at once. Each is an entry of the audit log.",
    responses={
        **answer(200, "What was acknowledged.", {"devices": ["press-07", "mill-03"], "left": 0}),
        **responses(409),
    },
    **needs("operator"),
)
def acknowledge_alarms(services: Held, actor: Acting, body: AlarmsBody | None = None) -> AcknowledgedView:
    until = None if body is None or body.until is None else int(body.until.timestamp() * 1000)
    done = acts.acknowledge_all(actor, services.device_states, until)
    return {"devices": list(done.devices), "left": done.left}


@router.post(
    "/unacknowledge",
    summary="Undo the acknowledgments of several alarms: they need somebody again",
    description=f"Within {UNDO_S / 60:g} minutes of each. A device whose alarm went on meanwhile is left as it is.",
    responses={
        **answer(200, "Which were undone.", {"devices": ["press-07"], "left": ["mill-03"]}),
        **responses(409),
    },
    **needs("operator"),
)
def unacknowledge_alarms(services: Held, actor: Acting, body: UndoneBody) -> UnacknowledgedView:
    done = acts.unacknowledge_all(actor, services.device_states, dict.fromkeys(body.devices))
    return {"devices": list(done.devices), "left": list(done.left)}


@router.get(
    "/{device}",
    summary="Get a device",
    description="`seq` is the last sequence number that the device sent, `gaps` the newest ranges of numbers that "
    "never arrived, and `missing` how many numbers never arrived. For a device that does not number its readings, "
    "`seq` is null and `missing` is 0. `heard_at` is accurate to one second.",
    responses={**answer(200, "The device.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_device(
    device: DeviceId,
    services: Held,
) -> DeviceView:
    return services.devices.device(device)


@router.get(
    "/{device}/events",
    summary="List the changes of a device's state, newest first",
    description="The newest 20,000 changes of all devices are kept.",
    responses=answer(200, "A page of events.", {"events": [EVENT], "next": None}),
    **needs("viewer"),
)
def list_events(device: DeviceId, services: Held, limit: Limit = 50, before: BeforeEvent = None) -> EventPage:
    found, following = services.device_events.page(limit, before, device)
    return {"events": found, "next": following}


@router.get(
    "/{device}/history",
    summary="Get the history of a device: its readings in a period, summed up",
    description="The readings of the archive and the buffer, in equal parts of the period, each with the least value, "
    "the mean and the greatest value of each feature. By default the last 6 hours. An answer takes about a second at "
    "most: if there was no time to read everything, what was read is spread evenly, and `notes` says so.",
    responses={**answer(200, "The history.", HISTORY), **responses(404)},
    **needs("viewer"),
)
def show_history(
    device: DeviceId,
    services: Held,
    begin: Annotated[
        Moment | None, Query(alias="from", description="Start of the period; by default 6 hours before `to`.")
    ] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Its end, exclusive; by default now.")] = None,
    buckets: Annotated[int, Query(ge=1, le=MAX_BUCKETS, description="Maximum number of parts.")] = 240,
) -> HistoryView:
    until = now_ms() if end is None else int(end.timestamp() * 1000)
    since = until - DEFAULT_SPAN_MS if begin is None else int(begin.timestamp() * 1000)
    return services.histories.history(services.devices.device(device), since, until, buckets)


@router.post(
    "/{device}/acknowledge",
    summary="Acknowledge the alarm of a device: someone is taking care of it",
    responses=CHANGED,
    **needs("operator"),
)
def acknowledge_alarm(device: DeviceId, services: Held, actor: Acting) -> DeviceView:
    acts.acknowledge(actor, services.device_states, device)
    return services.devices.device(device)


@router.post(
    "/{device}/unacknowledge",
    summary="Undo the acknowledgment of an alarm: it needs somebody again",
    description=f"Within {UNDO_S / 60:g} minutes. If the alarm ended meanwhile, or another one began, nothing changes.",
    responses=CHANGED,
    **needs("operator"),
)
def unacknowledge_alarm(device: DeviceId, services: Held, actor: Acting) -> DeviceView:
    acts.unacknowledge(actor, services.device_states, device)
    return services.devices.device(device)


@router.post(
    "/{device}/shelve",
    summary="Shelve a device: silence its alarms until a time",
    responses=CHANGED,
    **needs("operator"),
)
def shelve_device(device: DeviceId, body: Shelving, services: Held, actor: Acting) -> DeviceView:
    acts.shelve(actor, services.device_states, device, int(body.until.timestamp() * 1000), body.why)
    return services.devices.device(device)


@router.post("/{device}/unshelve", summary="End the shelving of a device", responses=CHANGED, **needs("operator"))
def unshelve_device(device: DeviceId, services: Held, actor: Acting) -> DeviceView:
    acts.unshelve(actor, services.device_states, device)
    return services.devices.device(device)


@router.post(
    "/{device}/retire", summary="Retire a device: it is no longer watched", responses=CHANGED, **needs("operator")
)
def retire_device(device: DeviceId, services: Held, actor: Acting) -> DeviceView:
    acts.retire(actor, services.device_states, device)
    return services.devices.device(device)


@router.post("/{device}/restore", summary="Watch a retired device again", responses=CHANGED, **needs("operator"))
def restore_device(device: DeviceId, services: Held, actor: Acting) -> DeviceView:
    acts.restore(actor, services.device_states, device)
    return services.devices.device(device)
