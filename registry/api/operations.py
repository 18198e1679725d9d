"""/v1/operations: a selection on its way to the workers.

An operation is no record of its own: its id is the selection's number in the log, and the workers' heartbeats say how
far it is. So it outlives every process of ours, and cannot say what is not so.
"""

from __future__ import annotations

from typing import Annotated, Any

import redis
from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath

from registry.api import rollout
from registry.api.problems import responses
from registry.api.roles import needs
from registry.facts import selection_facts
from registry.state import Selection
from zelador.errors import NotFound

router = APIRouter(prefix="/v1/operations", tags=["selection"])

EXAMPLE = {
    "id": "7",
    "state": "pending",
    "model": "RandomForest_20261124_115838",
    "sequence": 7,
    "by": "key 4f2a91c0",
    "at": "2026-11-24T12:00:01.250Z",
    "why": "best of the run",
    "rolled_back": False,
    "workers": {"live": 2, "of": 3, "refused": []},
    "each": [
        {
            "worker": "inference-1",
            "state": "live",
            "model": "RandomForest_20261124_115838",
            "selection": 7,
            "reason": None,
            "heard_at": "2026-11-24T12:00:02.100Z",
            "started_at": "2026-11-24T08:00:00.000Z",
        }
    ],
}


@router.get(
    "/{operation}",
    summary="How far a selection is: pending, done, refused, superseded; and which worker is where",
    description="done: every worker that is alive runs it. refused: at least one cannot, and its reason is there; it "
    "keeps its model and tries again. superseded: another selection came after. pending: else, and while no worker is "
    "alive.",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(404)},
    **needs("viewer"),
)
def show_operation(
    operation: Annotated[
        str, InPath(description="Of the Location that a change of the selection gave.", max_length=20)
    ],
    request: Request,
) -> dict[str, Any]:
    services = request.app.state.services
    state = services.registry.sync()
    found = next((each for each in reversed(state.history) if str(each.sequence) == operation), None)
    if found is None:
        raise NotFound(f"there is no operation {operation!r}")
    each = [rollout.describe(worker, found) for worker in rollout.workers(services)]
    superseded = state.selection is not None and state.selection.sequence != found.sequence
    return describe(found, "superseded" if superseded else rollout.outcome(each), each)


def describe(selection: Selection, state: str, each: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {
        "id": str(selection.sequence),
        "state": state,
        **selection_facts(selection),
        "workers": None if each is None else rollout.summed(each),
        "each": each,
    }


def begun(services: Any, selection: Selection, response: Response) -> dict[str, Any]:
    """What a change of the selection answers. Without Redis the selection stands, and nothing is known of workers."""
    response.headers["Location"] = f"/v1/operations/{selection.sequence}"
    try:
        each = [rollout.describe(worker, selection) for worker in rollout.workers(services)]
    except (redis.RedisError, OSError):
        return describe(selection, "pending", None)
    return describe(selection, rollout.outcome(each), each)
