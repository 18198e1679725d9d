"""/v1/operations: a selection on its way to the workers.

An operation is no record of its own: its id is the selection's number in the log, and the workers' heartbeats say how
far it is. So it outlives every process of ours, and cannot say what is not so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import redis
from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from pydantic import Field

from registry import facts
from registry.api import rollout
from registry.api.answers import answer
from registry.api.problems import responses
from registry.api.roles import needs
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


class Operation(facts.Selection):
    """A selection on its way to the workers."""

    id: Annotated[str, Field(description="Its `sequence`, as text.")]
    state: Annotated[
        Literal["pending", "done", "refused", "superseded"],
        Field(description="done: every worker runs it; refused: one cannot; superseded: another came after."),
    ]
    workers: Annotated[rollout.Workers | None, Field(description="Counted; null while Redis does not answer.")]
    each: Annotated[list[rollout.Worker] | None, Field(description="One by one; null while Redis does not answer.")]


@router.get(
    "/{operation}",
    summary="How far a selection is: pending, done, refused, superseded; and which worker is where",
    description="done: every worker that is alive runs it. refused: at least one cannot, and its reason is there; it "
    "keeps its model and tries again. superseded: another selection came after. pending: else, and while no worker is "
    "alive.",
    responses={**answer(200, "How far the selection is now.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_operation(
    operation: Annotated[
        str, InPath(description="Of the Location that a change of the selection gave.", max_length=20)
    ],
    request: Request,
) -> Operation:
    services = request.app.state.services
    state = services.registry.sync()
    found = next((each for each in reversed(state.history) if str(each.sequence) == operation), None)
    if found is None:
        raise NotFound(f"there is no operation {operation!r}")
    each = [rollout.describe(worker, found) for worker in rollout.workers(services)]
    superseded = state.selection is not None and state.selection.sequence != found.sequence
    return describe(found, "superseded" if superseded else rollout.outcome(each), each)


def describe(
    selection: Selection, state: rollout.Outcome | Literal["superseded"], each: list[rollout.Worker] | None
) -> Operation:
    return {
        "id": str(selection.sequence),
        "state": state,
        **facts.selection_facts(selection),
        "workers": None if each is None else rollout.summed(each),
        "each": each,
    }


def begun(services: Any, selection: Selection, response: Response) -> Operation:
    """What a change of the selection answers. Without Redis the selection stands, and nothing is known of workers."""
    response.headers["Location"] = f"/v1/operations/{selection.sequence}"
    try:
        each = [rollout.describe(worker, selection) for worker in rollout.workers(services)]
    except (redis.RedisError, OSError):
        return describe(selection, "pending", None)
    return describe(selection, rollout.outcome(each), each)
