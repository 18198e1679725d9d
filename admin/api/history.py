"""/v1/selection/history and /rollout: past selections, and the model that each worker runs now."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.api import operations
from admin.document.answers import NextNumber, answer
from admin.services import Held
from operations.views import rollout
from registry.facts import Selection, describe_selection

router = APIRouter(route_class=Route, prefix="/v1/selection", tags=["selection"])

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

    selections: Annotated[list[Selection], Field(description="Newest first.")]
    next: NextNumber


class Rollout(TypedDict):
    """The selection, and every running worker."""

    model: Annotated[str | None, Field(description="The selected model; null without one.")]
    sequence: Annotated[int | None, Field(description="The selection's number in the log; null without one.")]
    workers: Annotated[list[rollout.Worker], Field(description="The workers that are running.")]


@router.get(
    "/history",
    summary="List all selections, newest first: model, time, author and reason",
    responses=answer(200, "A page of selections.", {"selections": [SELECTION], "next": None}),
    **needs("viewer"),
)
def list_selections(
    services: Held,
    limit: Annotated[int, Query(ge=1, le=500, description="Maximum number of selections on the page.")] = 50,
    before: Annotated[int | None, Query(ge=1, le=10**9, description="`next` of the previous page.")] = None,
) -> SelectionPage:
    history = services.registry.sync().history
    older = (each for each in reversed(history) if before is None or each.sequence < before)
    page = list(islice(older, limit))
    has_more = next(older, None) is not None
    return {
        "selections": [describe_selection(each) for each in page],
        "next": page[-1].sequence if page and has_more else None,
    }


@router.get(
    "/rollout",
    summary="Get the model that each worker runs",
    description="`state` of a worker: live (it runs the selection), refused (it cannot run it, `reason` says why, and "
    "it keeps its previous model) or pending (it has not loaded it yet).",
    responses=answer(200, "The selection, and every running worker.", ROLLOUT),
    **needs("viewer"),
)
def show_rollout(services: Held) -> Rollout:
    selection = services.registry.sync().selection
    return {
        "model": selection.model if selection else None,
        "sequence": selection.sequence if selection else None,
        "workers": [
            rollout.describe(worker, selection)
            for worker in rollout.workers(services.redis, services.settings.redis.prefix)
        ],
    }
