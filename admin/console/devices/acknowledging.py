"""The page that acknowledges all alarms, after it has shown which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Response

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.page import go, pages, show
from admin.console.said import Said
from admin.console.visitor import Visiting
from operations.acts.devices import MAX_AT_ONCE, acknowledge_all, unacknowledge_all
from operations.views.devices import DeviceView
from zelador.clock import now_ms

router = pages("alarms")

PAGE_ROWS = 50
ACKNOWLEDGED = "/console/states/acknowledged"

Moment = Annotated[int, Form(ge=0, le=2**53)]  # ms since 1970 UTC


@dataclass(frozen=True, slots=True)
class Acknowledging:
    rows: list[DeviceView]  # the newest alarm first
    total: int  # devices in alarm
    count: int  # that are acknowledged at once
    at: int  # ms since 1970 UTC; an alarm that is raised later is not acknowledged


@router.get("/acknowledge", **needs("operator"))
def confirm_acknowledging(console: Shown, visitor: Visiting) -> Response:
    at = now_ms()
    rows, total = console.services.devices.page(PAGE_ROWS, 0, ("alarm",))
    context = Acknowledging(rows, total, min(total, MAX_AT_ONCE), at)
    return show(console, visitor, "devices/acknowledge.html", context, section="devices")


@router.post("/acknowledge", **needs("operator"))
def acknowledge(console: Shown, actor: Acting, at: Annotated[int, Form(ge=0, le=2**53)]) -> Response:
    services = console.services
    done = acknowledge_all(actor, services.device_states, at)
    times = services.devices.acknowledgments(done.devices, actor.name).values()
    period = {"since": min(times), "until": max(times)} if times else {}
    said = Said("acknowledged all", counts={"count": len(done.devices), "left": done.left, **period})
    return go("/console/alarms/acknowledge" if done.left else ACKNOWLEDGED, said)


@router.post("/unacknowledge", **needs("operator"))
def unacknowledge(console: Shown, actor: Acting, since: Moment, until: Moment) -> Response:
    """Undoes what this person acknowledged in a period."""
    services = console.services
    found = services.devices.acknowledged_by(actor.name, since, until, MAX_AT_ONCE)
    done = unacknowledge_all(actor, services.device_states, found)
    said = Said("unacknowledged all", counts={"count": len(done.devices), "left": len(done.left)})
    return go("/console/states/alarm", said)


ROUTERS = (router,)
