"""/v1/runs: training runs."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from registry.api.access import audit, who
from registry.api.problems import responses
from registry.api.roles import needs
from registry.errors import DuplicateName
from registry.names import check_name
from zelador.errors import InvalidInput, NotFound
from zelador.runs import Run
from zelador.settings import Metric

router = APIRouter(prefix="/v1/runs", tags=["runs"])

EXAMPLE = {
    "id": "20261124_115838-a38d",
    "state": "running",
    "request": {"metric": "F1"},
    "by": "key 4f2a91c0",
    "created_at": "2026-11-24T11:58:38.000Z",
    "progress": "compared 6 of 14 classifiers",
}


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"metric": "F1", "notes": "November"}]})

    metric: Annotated[Metric | None, Field(description="What the candidates are ranked by.")] = None
    names: Annotated[list[str], Field(max_length=20, description="Names in the order of rank.")] = []
    notes: Annotated[str, Field(max_length=2_000, description="Kept with the models.")] = ""
    candidates: Annotated[list[str] | None, Field(max_length=30, description="PyCaret's ids; without it, all.")] = None


@router.post(
    "",
    status_code=202,
    summary="Train on the labelled readings of the buffer and register the best",
    responses={202: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(409)},
    **needs("operator"),
)
def start_run(wanted: Wanted, request: Request, response: Response) -> dict[str, Any]:
    services = request.app.state.services
    taken = services.registry.sync().models
    if len(set(wanted.names)) != len(wanted.names):
        raise InvalidInput("names: each model needs a name of its own")
    for name in wanted.names:
        if check_name(name) in taken:
            raise DuplicateName(f"there is a model {name!r} already; choose another name")
    run_id = f"{datetime.now(timezone.utc):%Y%m%d_%H%M%S}-{secrets.token_hex(2)}"
    asked = services.runs.submit(run_id, wanted.model_dump(exclude_none=True), who(request))
    audit(request, "run asked for", run_id, None, wanted.model_dump(exclude_none=True))
    response.headers["Location"] = f"/v1/runs/{run_id}"
    return describe(asked)


@router.get("", summary="The runs of the last days, the newest first", **needs("viewer"))
def list_runs(request: Request) -> dict[str, Any]:
    return {"runs": [describe(run, whole=False) for run in request.app.state.services.runs.list()]}


@router.get(
    "/{run}",
    summary="One run: its state, its progress, and its result when it is done",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(404)},
    **needs("viewer"),
)
def show_run(run: str, request: Request) -> dict[str, Any]:
    """A run that Redis has forgotten, or that `zelador train` did, is read from the registry."""
    services = request.app.state.services
    try:
        return describe(services.runs.get(run))
    except NotFound:
        document = services.registry.run(run)
        return {"id": run, **document}


def describe(run: Run, whole: bool = True) -> dict[str, Any]:
    """The run, with its result's parts beside it; without them for a list."""
    found: dict[str, Any] = msgspec.to_builtins(run)
    result = found.pop("result") or {}
    return {**found, **(result if whole else {}), "id": run.id}
