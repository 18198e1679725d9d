"""/v1/selection: which model is live; select another, or roll back."""

from __future__ import annotations

import logging
from typing import Annotated

import redis
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from registry.api import operations, rollout
from registry.api.access import audit, who
from registry.api.answers import ETAG, answer, location
from registry.api.models import IfMatch, tagged
from registry.api.problems import responses
from registry.api.roles import needs
from registry.facts import selection_facts
from registry.state import Selection
from zelador.buffer.keys import Keys

router = APIRouter(prefix="/v1/selection", tags=["selection"])
log = logging.getLogger(__name__)

EXAMPLE = {
    "model": "RandomForest_20261124_115838",
    "sequence": 7,
    "by": "key 4f2a91c0",
    "at": "2026-11-24T12:00:01.250Z",
    "why": "best of the run",
    "rolled_back": False,
    "workers": {"live": 3, "of": 3, "refused": []},
}
ACCEPTED = answer(
    202,
    "The selection stands; the workers take it up within seconds. `Location` tells how far they are.",
    operations.EXAMPLE,
    {**ETAG, **location("Of the operation, which is this answer as it goes on.", "/v1/operations/7")},
)


class PresentSelection(TypedDict):
    """The selection that stands; all null but `workers` while no model was ever selected."""

    model: Annotated[str | None, Field(description="The selected model.")]
    sequence: Annotated[int | None, Field(description="The selection's number in the log; no two share it.")]
    by: Annotated[str | None, Field(description="Who made it: a key, or a person at the command line.")]
    at: Annotated[str | None, Field(description="When it was made, ISO 8601, UTC.")]
    why: Annotated[str | None, Field(description="The reason that was given; may be empty.")]
    rolled_back: Annotated[bool | None, Field(description="Whether it was made by rolling back.")]
    workers: Annotated[rollout.Workers | None, Field(description="Counted; null while Redis does not answer.")]


class Choice(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"model": "RandomForest_20261124_115838"}]}
    )

    model: Annotated[str, Field(max_length=64, description="The name of a registered model.")]
    why: Annotated[str, Field(max_length=2_000, description="Kept in the history.")] = ""


class Reason(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"why": "more false alarms"}]})

    why: Annotated[str, Field(max_length=2_000, description="Kept in the history.")] = ""


@router.get(
    "",
    summary="The selected model, and how many workers run it",
    responses=answer(200, "The selection, or nothing but nulls while no model is selected.", EXAMPLE, ETAG),
    **needs("viewer"),
)
def get_selection(request: Request, response: Response) -> PresentSelection:
    services = request.app.state.services
    state = services.registry.sync()
    tagged(response, state)
    workers = rollout.counted(services, state.selection)
    if state.selection is None:
        return {
            "model": None, "sequence": None, "by": None, "at": None, "why": None, "rolled_back": None,
            "workers": workers,
        }  # fmt: skip
    return {**selection_facts(state.selection), "workers": workers}


@router.put(
    "",
    status_code=202,
    summary="Select a model",
    description="`If-Match` is taken and not needed: with it the selection is made only if nothing changed meanwhile.",
    responses={**ACCEPTED, **responses(404, 412)},
    **needs("operator"),
)
def select_model(
    choice: Choice, request: Request, response: Response, if_match: IfMatch = None
) -> operations.Operation:
    registry = request.app.state.services.registry
    before = registry.sync().selection
    selection = registry.select(choice.model, by=who(request), why=choice.why, if_match=if_match)
    return _made(request, response, "model selected", before, selection)


@router.post(
    "/rollback",
    status_code=202,
    summary="Select what was selected before; again, and what was before that",
    description="Models that were deleted are passed over. With `If-Match` only if nothing changed meanwhile.",
    responses={**ACCEPTED, **responses(409, 412)},
    **needs("operator"),
)
def roll_back(
    request: Request, response: Response, reason: Reason | None = None, if_match: IfMatch = None
) -> operations.Operation:
    registry = request.app.state.services.registry
    before = registry.sync().selection
    why = reason.why if reason else ""
    selection = registry.roll_back(by=who(request), why=why, if_match=if_match)
    return _made(request, response, "selection rolled back", before, selection)


def _made(
    request: Request, response: Response, what: str, before: Selection | None, selection: Selection
) -> operations.Operation:
    services = request.app.state.services
    try:  # it only wakes them; they look for themselves every second
        services.redis.publish(Keys(services.settings.redis.prefix).selected, str(selection.sequence))
    except (redis.RedisError, OSError) as error:
        log.warning("the workers were not woken: %s", error)
    old = None if before is None else selection_facts(before)
    audit(request, what, selection.model, old, selection_facts(selection))
    tagged(response, services.registry.state)
    return operations.begun(services, selection, response)
