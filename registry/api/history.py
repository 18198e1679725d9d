"""/v1/selection/history and /rollout: what was live when, and which worker runs what now."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from typing_extensions import TypedDict

from registry.api import operations, rollout
from registry.api.answers import NextNumber, answer
from registry.api.roles import needs
from registry.facts import Selection, selection_facts

router = APIRouter(prefix="/v1/selection", tags=["selection"])

SELECTION = {
    "model": "RandomForest_20261124_115838",
    "sequence": 7,
    "by": "key 4f2a91c0",
    "at": "2026-11-24T12:00:01.250Z",
    "why": "best of the run",
    "rolled_back": False,
}
ROLLOUT = {"model": "RandomForest_20261124_115838", "sequence": 7, "workers": operations.EXAMPLE["each"]}


class SelectionPage(TypedDict):
    """A page of the history."""

    selections: Annotated[list[Selection], Field(description="The newest first.")]
    next: NextNumber


class Rollout(TypedDict):
    """The selection, and every worker that is alive."""

    model: Annotated[str | None, Field(description="The selected model; null while none is.")]
    sequence: Annotated[int | None, Field(description="The selection's number in the log; null while there is none.")]
    workers: Annotated[list[rollout.Worker], Field(description="Those that are alive.")]


@router.get(
    "/history",
    summary="Every selection: which model, since when, by whom, why; the newest first",
    responses=answer(200, "A page of the selections.", {"selections": [SELECTION], "next": None}),
    **needs("viewer"),
)
def list_selections(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500, description="Of a page.")] = 50,
    before: Annotated[int | None, Query(ge=1, le=10**9, description="`next` of the page before.")] = None,
) -> SelectionPage:
    history = request.app.state.services.registry.sync().history
    older = (each for each in reversed(history) if before is None or each.sequence < before)
    page = list(islice(older, limit))
    more = next(older, None) is not None
    return {
        "selections": [selection_facts(each) for each in page],
        "next": page[-1].sequence if page and more else None,
    }


@router.get(
    "/rollout",
    summary="Which worker runs what",
    description="`state` of a worker: live (it runs the selection), refused (it cannot, `reason` says why, and goes on "
    "with what it has), pending.",
    responses=answer(200, "The selection, and every worker that is alive.", ROLLOUT),
    **needs("viewer"),
)
def show_rollout(request: Request) -> Rollout:
    services = request.app.state.services
    selection = services.registry.sync().selection
    return {
        "model": selection.model if selection else None,
        "sequence": selection.sequence if selection else None,
        "workers": [rollout.describe(worker, selection) for worker in rollout.workers(services)],
    }
