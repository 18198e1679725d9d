"""/v1/runs: training runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, cast

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.document.answers import Next, answer, location
from admin.document.problems import responses
from admin.services import Held, Services
from operations.acts import runs as acts
from registry.model.manifest import ServedBy
from zelador import training_queue
from zelador.errors import NotFound
from zelador.settings import Metric

router = APIRouter(route_class=Route, prefix="/v1/runs", tags=["runs"])

EXAMPLE = {
    "id": "20261124_115838-a38d",
    "state": "running",
    "request": {"metric": "F1"},
    "by": "key 4f2a91c0",
    "created_at": "2026-11-24T11:58:38.000Z",
    "started_at": "2026-11-24T11:58:38.004Z",
    "ended_at": None,
    "progress": "compared 6 of 14 classifiers",
    "error": None,
}

AT = location("Of the run.", "/v1/runs/20261124_115838-a38d")
Id = Annotated[str, Path(description="The run's id.", examples=["20261124_115838-a38d"], max_length=64)]


State = Literal["queued", "running", "done", "failed", "cancelled"]


class Candidate(TypedDict):
    """A classifier that was compared."""

    place: Annotated[int | None, Field(description="In the ranking, from 1; null if it failed.")]
    id: Annotated[str, Field(description="PyCaret's.")]
    model_type: Annotated[str, Field(description="Its name in full.")]
    metrics: Annotated[dict[str, float | None], Field(description="By metric, the folds' means; null without.")]
    seconds: Annotated[float | None, Field(description="What its comparison took; null if not known.")]
    trouble: Annotated[str | None, Field(description="Why it was passed over; null if nothing spoke against it.")]


class Trained(TypedDict):
    """A candidate that was kept, and registered if that was asked for."""

    name: Annotated[str | None, Field(description="Of the registered model; null if it was not registered.")]
    rank: Annotated[int, Field(description="Its place among those that were kept, from 1.")]
    model_type: Annotated[str, Field(description="Its name in full.")]
    metrics: Annotated[dict[str, float | None], Field(description="By metric, the folds' means; null without.")]
    holdout: Annotated[dict[str, float | None], Field(description="By metric, on rows kept aside; null without.")]
    served_by: Annotated[ServedBy, Field(description="What live inference runs.")]
    agreement: Annotated[dict[str, Any], Field(description="How pipeline and compiled model compare.")]
    confusion: Annotated[dict[str, Any], Field(description="Labels, and counts on the rows kept aside.")]


@with_config(ConfigDict(extra="allow"))
class RunRequest(TypedDict, total=False):
    """What was asked for; what is not here was left to the settings."""

    metric: Annotated[str, Field(description="What the candidates are ranked by.")]
    names: Annotated[list[str], Field(description="Names in the order of rank.")]
    notes: Annotated[str, Field(description="Kept with the models.")]
    candidates: Annotated[list[str], Field(description="PyCaret's ids.")]


@with_config(ConfigDict(extra="allow"))
class Run(TypedDict):
    """A training run. A list shows none of its result; further keys are of its document in the registry."""

    id: Annotated[str, Field(description="Of the run; it begins with when it was asked for.")]
    state: Annotated[State, Field(description="queued and running go on, the others are the end.")]
    request: Annotated[RunRequest, Field(description="What was asked for.")]
    by: Annotated[str, Field(description="Who asked: a key, or a person at the command line.")]
    created_at: Annotated[str, Field(description="When it was asked for, ISO 8601, UTC.")]
    started_at: Annotated[str | None, Field(description="When it began, ISO 8601, UTC; null while it waits.")]
    ended_at: Annotated[str | None, Field(description="When it ended, ISO 8601, UTC; null before.")]
    progress: Annotated[str | None, Field(description="What it does now; null if nothing was told.")]
    error: Annotated[str | None, Field(description="Why it failed or was cancelled; null if not.")]
    run: NotRequired[Annotated[str, Field(description="Its id again, with its result.")]]
    rows: NotRequired[Annotated[int, Field(description="Labelled readings that it learned from.")]]
    metric: NotRequired[Annotated[str, Field(description="What the candidates were ranked by.")]]
    leaderboard: NotRequired[Annotated[list[Candidate], Field(description="All that were compared, the best first.")]]
    models: NotRequired[Annotated[list[Trained], Field(description="Those that were kept, the best first.")]]
    seconds: NotRequired[Annotated[dict[str, float], Field(description="What it took, by step.")]]


class RunPage(TypedDict):
    """A page of runs."""

    runs: Annotated[list[Run], Field(description="The newest first.")]
    next: Next


class WantedRun(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"metric": "F1", "notes": "November"}]})

    metric: Annotated[Metric | None, Field(description="What the candidates are ranked by.")] = None
    names: Annotated[list[str], Field(max_length=20, description="Names in the order of rank.")] = []
    notes: Annotated[str, Field(max_length=2_000, description="Kept with the models.")] = ""
    candidates: Annotated[list[str] | None, Field(max_length=30, description="PyCaret's ids; without it, all.")] = None


@router.post(
    "",
    status_code=202,
    summary="Train on the labelled readings of the buffer and register the best",
    responses={**answer(202, "The run, which waits for the trainer.", EXAMPLE, AT), **responses(409)},
    **needs("operator"),
)
def start_run(wanted: WantedRun, services: Held, actor: Acting, response: Response) -> Run:
    request = cast(training_queue.RunRequest, wanted.model_dump(exclude_none=True))
    asked = acts.request(actor, services.registry, services.runs, request)
    response.headers["Location"] = f"/v1/runs/{asked.id}"
    return describe(asked)


@router.get(
    "",
    summary="The training runs, the newest first, in pages",
    responses=answer(200, "A page of the runs, without their results.", {"runs": [EXAMPLE], "next": None}),
    **needs("viewer"),
)
def list_runs(
    services: Held,
    limit: Annotated[int, Query(ge=1, le=200, description="Of a page.")] = 50,
    before: Annotated[str | None, Query(description="`next` of the page before.", max_length=64)] = None,
) -> RunPage:
    """Those that were asked for here and those of `zelador train` alike."""
    asked = {run.id: run for run in services.runs.list()}
    ids = sorted({*asked, *services.registry.runs()}, reverse=True)  # an id begins with when it was
    left = [run for run in ids if before is None or run < before]
    page = [_facts(services, run, asked.get(run), whole=False) for run in left[:limit]]
    return {"runs": page, "next": left[limit - 1] if len(left) > limit else None}


@router.get(
    "/{run}",
    summary="One run: its state, its progress, and its result when it is done",
    responses={**answer(200, "The run as it is now.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_run(run: Id, services: Held) -> Run:
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
    responses={**answer(202, "The run: cancelled, or still running.", EXAMPLE), **responses(404, 409)},
    **needs("operator"),
)
def cancel_run(run: Id, services: Held, actor: Acting) -> Run:
    return describe(acts.cancel(actor, services.runs, run))


def _facts(services: Services, run: str, asked: training_queue.Run | None, whole: bool) -> Run:
    """Of a run that Redis has forgotten, or that `zelador train` did, the registry knows. Raises NotFound."""
    if asked is not None:
        return describe(asked, whole)
    document = services.registry.run(run)
    request = training_queue.RunRequest()
    if metric := document.get("metric"):
        request["metric"] = metric
    if notes := document.get("notes"):
        request["notes"] = notes
    began, ended, error = document["started_at"], document.get("ended_at"), document.get("error")
    state, by = document["state"], document["by"]
    known = training_queue.Run(run, state, request, by, began, began, ended, error=error)
    return cast(Run, {**(document if whole else {}), **describe(known)})


def describe(run: training_queue.Run, whole: bool = True) -> Run:
    """The run, with its result's parts beside it; without them for a list."""
    found: dict[str, Any] = msgspec.to_builtins(run)
    result = found.pop("result") or {}
    return cast(Run, {**found, **(result if whole else {}), "id": run.id})
