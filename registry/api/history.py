"""/v1/selection/history and /rollout: what was live when, and which worker runs what now."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from registry.api import operations, rollout
from registry.api.roles import needs
from registry.facts import selection_facts

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


@router.get(
    "/history",
    summary="Every selection: which model, since when, by whom, why; the newest first",
    responses={200: {"content": {"application/json": {"example": {"selections": [SELECTION], "next": None}}}}},
    **needs("viewer"),
)
def list_selections(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500, description="Of a page.")] = 50,
    before: Annotated[int | None, Query(ge=1, le=10**9, description="`next` of the page before.")] = None,
) -> dict[str, Any]:
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
    responses={200: {"content": {"application/json": {"example": ROLLOUT}}}},
    **needs("viewer"),
)
def show_rollout(request: Request) -> dict[str, Any]:
    services = request.app.state.services
    selection = services.registry.sync().selection
    return {
        "model": selection.model if selection else None,
        "sequence": selection.sequence if selection else None,
        "workers": [rollout.describe(worker, selection) for worker in rollout.workers(services)],
    }
