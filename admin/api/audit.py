"""/v1/audit: the audit log, with the author of every change and the values before and after."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.api.moments import Moment
from admin.api.readings import Limit
from admin.document.answers import Next, answer
from admin.services import Held
from operations.views.audit import MAX_SEARCHED, AuditFilter, Kind, search
from operations.views.keys import key_names

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
    "on_behalf_of": None,
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
    on_behalf_of: Annotated[
        str | None,
        Field(description="Who asked for the run, if the trainer made the change in one; null if it is not known."),
    ]


class ChangePage(TypedDict):
    """A page of the audit log."""

    changes: Annotated[list[Change], Field(description="Newest first.")]
    next: Next


@router.get(
    "",
    summary="List changes, newest first",
    description=f"A request searches at most {MAX_SEARCHED:,} entries. With a filter, a page may therefore have fewer "
    "changes than `limit`, or none, although there are earlier ones: go on until `next` is null.",
    responses=answer(200, "A page of changes.", {"changes": [EXAMPLE], "next": None}),
    **needs("admin"),
)
def list_changes(
    services: Held,
    limit: Limit = 50,
    before: Annotated[
        str | None, Query(max_length=20, pattern="^[0-9]{1,20}$", description="`next` of the previous page.")
    ] = None,
    who: Annotated[
        str,
        Query(
            max_length=400,
            description="Only changes by this author, as in `who`, or on their behalf; without brackets, all of them.",
        ),
    ] = "",
    what: Annotated[Kind | None, Query(description="Only changes of this kind.")] = None,
    q: Annotated[
        str,
        Query(
            max_length=100,
            description="Only changes with this text in author, on whose behalf (or notes of keys), act, target, "
            "reason or notes.",
        ),
    ] = "",
    since: Annotated[
        Moment | None, Query(alias="from", description="Only changes from this moment on, ISO 8601 with a zone.")
    ] = None,
    until: Annotated[Moment | None, Query(description="Only changes before this moment, ISO 8601 with a zone.")] = None,
) -> ChangePage:
    wanted = AuditFilter(who, what, q, _ms(since), _ms(until))
    found = search(services.audit, wanted, key_names(services.settings.api.keys_file), limit, before)
    return {"changes": [msgspec.to_builtins(change) for change in found.changes], "next": found.next}


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
