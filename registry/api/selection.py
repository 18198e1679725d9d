"""/v1/selection: which model is live."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import redis
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from registry.api.access import audit, who
from registry.api.problems import responses
from registry.state import Selection
from zelador import health
from zelador.buffer.keys import Keys

router = APIRouter(prefix="/v1/selection", tags=["selection"])
log = logging.getLogger(__name__)

EXAMPLE = {
    "model": "RandomForest_20261124_115838",
    "sequence": 7,
    "by": "key 4f2a91c0",
    "at": "2026-11-24T12:00:01.250Z",
    "why": "best of the run",
    "workers": {"live": 3, "of": 3, "refused": []},
}


class Choice(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"model": "RandomForest_20261124_115838"}]}
    )

    model: Annotated[str, Field(description="The name of a registered model.")]
    why: Annotated[str, Field(max_length=2_000, description="Kept in the history.")] = ""


@router.get(
    "",
    summary="The selected model, and which workers run it",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(401)},
)
def get_selection(request: Request, response: Response) -> dict[str, Any]:
    state = request.app.state.services.registry.sync()
    response.headers["ETag"] = f'"{state.etag}"'
    return _describe(request, state.selection)


@router.put(
    "",
    summary="Select a model; the workers take it up by themselves, within seconds",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(401, 404, 412, 422)},
)
def put_selection(
    choice: Choice, request: Request, response: Response, if_match: str | None = Header(None)
) -> dict[str, Any]:
    services = request.app.state.services
    selection = services.registry.select(choice.model, by=who(request), why=choice.why, if_match=if_match)
    audit(request, "model selected", model=choice.model, sequence=selection.sequence)
    try:  # it only wakes them; they look for themselves every second
        services.redis.publish(Keys(services.settings.redis.prefix).selected, str(selection.sequence))
    except (redis.RedisError, OSError) as error:
        log.warning("the workers were not woken: %s", error)
    response.headers["ETag"] = f'"{services.registry.state.etag}"'
    return _describe(request, selection)


def rollout(services: Any, selection: Selection | None) -> dict[str, Any] | None:
    """How many workers run the selection, and who refused it; None while Redis does not answer."""
    try:
        found = health.workers(services.redis, services.settings.redis.prefix)
    except (redis.RedisError, OSError):
        return None
    inference = [worker for worker in found if worker.get("service") == "inference"]
    sequence = "" if selection is None else str(selection.sequence)
    return {
        "live": sum(bool(sequence) and worker.get("selection") == sequence for worker in inference),
        "of": len(inference),
        "refused": [
            {"worker": worker.get("instance"), "reason": worker.get("refused_reason")}
            for worker in inference
            if sequence and worker.get("refused_selection") == sequence
        ],
    }


def _describe(request: Request, selection: Selection | None) -> dict[str, Any]:
    found = {
        "model": selection.model if selection else None,
        "sequence": selection.sequence if selection else None,
        "by": selection.by if selection else None,
        "at": selection.at if selection else None,
        "why": selection.why if selection else None,
    }
    return {**found, "workers": rollout(request.app.state.services, selection)}
