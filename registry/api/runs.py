"""/v1/runs: training runs."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from registry.api.access import audit, who
from registry.api.problems import responses
from registry.api.roles import needs
from registry.errors import DuplicateName
from registry.names import check_name
from zelador.errors import InvalidInput, NotFound
from zelador.runs import Run
from zelador.settings import Metric

if TYPE_CHECKING:
    from registry.api.app import Services

router = APIRouter(prefix="/v1/runs", tags=["runs"])

EXAMPLE = {
    "id": "20261124_115838-a38d",
    "state": "running",
    "request": {"metric": "F1"},
    "by": "key 4f2a91c0",
    "created_at": "2026-11-24T11:58:38.000Z",
    "progress": "compared 6 of 14 classifiers",
}

Id = Annotated[str, Path(description="The run's id.", examples=["20261124_115838-a38d"], max_length=64)]


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


@router.get(
    "",
    summary="The training runs, the newest first, in pages",
    responses={200: {"content": {"application/json": {"example": {"runs": [EXAMPLE], "next": None}}}}},
    **needs("viewer"),
)
def list_runs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="Of a page.")] = 50,
    before: Annotated[str | None, Query(description="`next` of the page before.", max_length=64)] = None,
) -> dict[str, Any]:
    """Those that were asked for here and those of `zelador train` alike."""
    services = request.app.state.services
    asked = {run.id: run for run in services.runs.list()}
    ids = sorted({*asked, *services.registry.runs()}, reverse=True)  # an id begins with when it was
    left = [run for run in ids if before is None or run < before]
    page = [_facts(services, run, asked.get(run), whole=False) for run in left[:limit]]
    return {"runs": page, "next": left[limit - 1] if len(left) > limit else None}


@router.get(
    "/{run}",
    summary="One run: its state, its progress, and its result when it is done",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(404)},
    **needs("viewer"),
)
def show_run(run: Id, request: Request) -> dict[str, Any]:
    services = request.app.state.services
    try:
        asked = services.runs.get(run)
    except NotFound:
        asked = None
    return _facts(services, run, asked, whole=True)


@router.post(
    "/{run}/cancel",
    status_code=202,
    summary="End a run that waits or goes on; nothing of it is registered",
    description="One that waits is cancelled in the answer; one that goes on within seconds, unless it is done first.",
    responses={202: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(404, 409)},
    **needs("operator"),
)
def cancel_run(run: Id, request: Request) -> dict[str, Any]:
    found = request.app.state.services.runs.cancel(run, who(request))
    audit(request, "run cancelled", run)
    return describe(found)


def _facts(services: Services, run: str, asked: Run | None, whole: bool) -> dict[str, Any]:
    """Of a run that Redis has forgotten, or that `zelador train` did, the registry knows. Raises NotFound."""
    if asked is not None:
        return describe(asked, whole)
    document: dict[str, Any] = services.registry.run(run)
    request = {key: document[key] for key in ("metric", "notes") if document.get(key)}
    times = {key: document.get(key) for key in ("started_at", "ended_at", "error")}
    kept = Run(run, document["state"], request, document["by"], document["started_at"], **times)
    return {**(document if whole else {}), **describe(kept)}


def describe(run: Run, whole: bool = True) -> dict[str, Any]:
    """The run, with its result's parts beside it; without them for a list."""
    found: dict[str, Any] = msgspec.to_builtins(run)
    result = found.pop("result") or {}
    return {**found, **(result if whole else {}), "id": run.id}
