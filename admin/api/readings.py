"""/v1/readings: recent readings, from the buffer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.document.answers import Next, Unchecked, answer
from admin.services import Held
from operations.views.stream import Reading

router = APIRouter(route_class=Route, prefix="/v1/readings", tags=["stream"])

Limit = Annotated[int, Query(ge=1, le=500, description="Maximum number of items on the page.")]
Before = Annotated[str | None, Query(max_length=60, description="`next` of the previous page.")]
Device = Annotated[str | None, Query(max_length=256, description="Only items of this device.")]

EXAMPLE = {
    "id": "press-07-000017",
    "device_id": "press-07",
    "measured_at": "2026-11-24T10:00:00.000Z",
    "received_at": "2026-11-24T10:00:00.004Z",
    "values": {"lux": 412.0, "temperature": 61.4, "vibration": 3.82},
    "label": None,
    "seq": 17,
    "retained": False,
}


class ReadingPage(TypedDict):
    """A page of readings."""

    readings: Annotated[list[Reading], Unchecked(), Field(description="Newest first.")]
    next: Next


@router.get(
    "",
    summary="List recent readings",
    description="The buffer keeps all waiting readings and the newest 200,000 (`ZELADOR_REDIS__KEEP_READINGS`). With "
    "`device`, a page examines at most 5,000 entries of the stream: it may be short or even empty and still have a "
    "`next`.",
    responses=answer(200, "A page of readings.", {"readings": [EXAMPLE], "next": None}),
    **needs("viewer"),
)
def list_readings(services: Held, limit: Limit = 50, before: Before = None, device: Device = None) -> ReadingPage:
    found, following = services.recent.readings(limit, before, device)
    return {"readings": found, "next": following}
