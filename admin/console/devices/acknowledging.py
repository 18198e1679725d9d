"""The page that acknowledges all alarms, after it has shown which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Response

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.page import go, pages, show
from admin.console.visitor import Visiting
from operations.acts.devices import MAX_AT_ONCE, acknowledge_all
from operations.views.devices import DeviceView
from zelador.clock import now_ms

router = pages("alarms")

PAGE_ROWS = 50


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
    done = acknowledge_all(actor, console.services.device_states, at)
    return go("/console/alarms/acknowledge" if done.left else "/console/states/acknowledged")


ROUTERS = (router,)
