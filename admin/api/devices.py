"""/v1/devices: the devices, with their last reading, last prediction and missing sequence numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.api.readings import Limit
from admin.document.answers import NextOffset, answer
from admin.document.problems import responses
from admin.services import Held
from operations.views.devices import DeviceView

router = APIRouter(route_class=Route, prefix="/v1/devices", tags=["stream"])

EXAMPLE = {
    "device_id": "press-07",
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
}


class DevicePage(TypedDict):
    """A page of devices."""

    devices: Annotated[list[DeviceView], Field(description="Most recently heard first.")]
    total: Annotated[int, Field(description="Number of devices on all pages.")]
    next: NextOffset


@router.get(
    "",
    summary="List devices, most recently heard first",
    responses=answer(200, "A page of devices.", {"devices": [EXAMPLE], "total": 1, "next": None}),
    **needs("viewer"),
)
def list_devices(
    services: Held,
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the previous page.")] = 0,
) -> DevicePage:
    found, total = services.devices.page(limit, offset)
    end = offset + limit
    return {"devices": found, "total": total, "next": end if end < total else None}


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
    device: Annotated[str, InPath(description="The device's id, as in the topic.", examples=["press-07"])],
    services: Held,
) -> DeviceView:
    return services.devices.device(device)
