"""/v1/audit: the audit log, with the author of every change and the values before and after."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.api.readings import Limit
from admin.document.answers import Next, answer
from admin.services import Held

router = APIRouter(route_class=Route, prefix="/v1/audit", tags=["access"])

EXAMPLE = {
    "id": "01795514400004000000",
    "at": "2026-11-24T12:00:01.250Z",
    "who": "key 4f2a91c0",
    "what": "model selected",
    "target": "RandomForest_20261124_115838",
    "before": {"model": "LightGBM_20261124_115838"},
    "after": {"model": "RandomForest_20261124_115838"},
    "address": "127.0.0.1",
}


class Change(TypedDict):
    """A change, and who made it."""

    id: Annotated[str, Field(description="The change's id; ids grow with time.")]
    at: Annotated[str, Field(description="Time of the change, ISO 8601, UTC.")]
    who: Annotated[str, Field(description="Who made it: a key, or a person at the command line.")]
    what: Annotated[str, Field(description="What was done.")]
    target: Annotated[str, Field(description="What was changed, such as the name of a model.")]
    before: Annotated[Any, Field(description="Any JSON: the changed values before; null without any; cut if long.")]
    after: Annotated[Any, Field(description="Any JSON: the changed values after; null without any; cut if long.")]
    address: Annotated[
        str | None,
        Field(description="Client address; behind a proxy that is not trusted, the proxy's; null if not over HTTP."),
    ]


class ChangePage(TypedDict):
    """A page of the audit log."""

    changes: Annotated[list[Change], Field(description="Newest first.")]
    next: Next


@router.get(
    "",
    summary="List changes, newest first",
    responses=answer(200, "A page of changes.", {"changes": [EXAMPLE], "next": None}),
    **needs("admin"),
)
def list_changes(
    services: Held,
    limit: Limit = 50,
    before: Annotated[
        str | None, Query(max_length=20, pattern="^[0-9]{1,20}$", description="`next` of the previous page.")
    ] = None,
) -> ChangePage:
    newest = services.audit.newest(None if before is None else before.zfill(20))
    page: list[Change] = [msgspec.to_builtins(change) for change in islice(newest, limit)]
    return {"changes": page, "next": page[-1]["id"] if len(page) == limit else None}
