"""/v1/operations: the progress of a selection on the workers.

An operation is not stored. Its id is the selection's number in the log, and its state is computed from the workers'
heartbeats. So it survives restarts and cannot be stale.
"""

from __future__ import annotations

from typing import Annotated, Literal

import redis
from fastapi import APIRouter, Response
from fastapi import Path as InPath
from pydantic import Field

from admin.access.roles import Route, needs
from admin.document.answers import answer
from admin.document.problems import responses
from admin.services import Held, Services
from operations.views import rollout
from registry import facts
from registry.log.state import Selection
from zelador.errors import NotFound

router = APIRouter(route_class=Route, prefix="/v1/operations", tags=["selection"])

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
            "rate": 63.8,
            "p99_ms": 9.2,
        }
    ],
}


class Operation(facts.Selection):
    """The progress of a selection on the workers."""

    id: Annotated[str, Field(description="The selection's `sequence`, as text.")]
    state: Annotated[
        Literal["pending", "done", "refused", "superseded"],
        Field(
            description="done: every worker runs it; refused: a worker cannot; superseded: a later selection exists; "
            "pending: otherwise."
        ),
    ]
    workers: Annotated[
        rollout.Workers | None, Field(description="Counts of workers; null while Redis does not answer.")
    ]
    each: Annotated[
        list[rollout.Worker] | None, Field(description="The state of each worker; null while Redis does not answer.")
    ]


class Begun(Operation):
    """The progress of a selection that was just made, with what is against it."""

    warnings: Annotated[
        list[str],
        Field(
            description="Why the choice may be a bad one: its run did not recommend it, or it is worse than the model "
            "that was selected, on the same readings. It is selected all the same."
        ),
    ]


@router.get(
    "/{operation}",
    summary="Get the progress of a selection: pending, done, refused or superseded, and the state of each worker",
    description="done: every running worker runs it. refused: at least one worker cannot, and gives its reason; it "
    "keeps its previous model and tries again. superseded: a later selection exists. pending: otherwise, and while no "
    "worker is running.",
    responses={**answer(200, "The selection's progress.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_operation(
    operation: Annotated[
        str, InPath(description="The id in the `Location` of the response to a selection.", max_length=20)
    ],
    services: Held,
) -> Operation:
    state = services.registry.sync()
    found = next((each for each in reversed(state.history) if str(each.sequence) == operation), None)
    if found is None:
        raise NotFound(f"there is no operation {operation!r}")
    each = [
        rollout.describe(worker, found) for worker in rollout.workers(services.redis, services.settings.redis.prefix)
    ]
    superseded = state.selection is not None and state.selection.sequence != found.sequence
    return describe(found, "superseded" if superseded else rollout.outcome(each), each)


def describe(
    selection: Selection, state: rollout.Outcome | Literal["superseded"], each: list[rollout.Worker] | None
) -> Operation:
    return {
        "id": str(selection.sequence),
        "state": state,
        **facts.describe_selection(selection),
        "workers": None if each is None else rollout.summed(each),
        "each": each,
    }


def begun(services: Services, selection: Selection, response: Response) -> Operation:
    """Returns the response to a new selection. The workers' state is unknown if Redis does not answer."""
    response.headers["Location"] = f"/v1/operations/{selection.sequence}"
    try:
        each = [
            rollout.describe(worker, selection)
            for worker in rollout.workers(services.redis, services.settings.redis.prefix)
        ]
    except (redis.RedisError, OSError):
        return describe(selection, "pending", None)
    return describe(selection, rollout.outcome(each), each)
