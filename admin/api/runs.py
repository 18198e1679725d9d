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
from zelador.settings import Metric, SplitKind

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

AT = location("URL of the run.", "/v1/runs/20261124_115838-a38d")
Id = Annotated[str, Path(description="The run's id.", examples=["20261124_115838-a38d"], max_length=64)]


State = Literal["queued", "running", "done", "failed", "cancelled"]


@with_config(ConfigDict(extra="allow"))
class Candidate(TypedDict):
    """A classifier that the run compared; further keys as in its document."""

    place: Annotated[int | None, Field(description="Position on the leaderboard, from 1; null if it failed.")]
    id: Annotated[str, Field(description="PyCaret's.")]
    model_type: Annotated[str, Field(description="Full name of the classifier.")]
    metrics: Annotated[
        dict[str, float | None], Field(description="Over all folds together, by metric; null if not defined.")
    ]
    seconds: Annotated[float | None, Field(description="Duration of its comparison, in seconds; null if not known.")]
    trouble: Annotated[str | None, Field(description="Why it was excluded; null if it was not.")]


@with_config(ConfigDict(extra="allow"))
class Trained(TypedDict):
    """A candidate that the run packed, and registered if requested; further keys as in its document."""

    name: Annotated[str | None, Field(description="Name of the registered model; null if it was not registered.")]
    rank: Annotated[int, Field(description="Its rank among the run's candidates, from 1.")]
    model_type: Annotated[str, Field(description="Full name of the classifier.")]
    metrics: Annotated[
        dict[str, float | None], Field(description="Over all folds together, by metric; null if not defined.")
    ]
    holdout: Annotated[dict[str, float | None], Field(description="On the hold-out, by metric; null if not defined.")]
    served_by: Annotated[ServedBy, Field(description="What live inference runs.")]
    agreement: Annotated[dict[str, Any], Field(description="Comparison of the pipeline and the compiled model.")]
    confusion: Annotated[dict[str, Any], Field(description="Labels, and counts on the hold-out rows.")]


@with_config(ConfigDict(extra="allow"))
class RunRequest(TypedDict, total=False):
    """The request for a run. The settings decide everything else."""

    metric: Annotated[str, Field(description="The metric that ranks the candidates.")]
    names: Annotated[list[str], Field(description="Names for the models, by rank.")]
    notes: Annotated[str, Field(description="Notes, stored with the models.")]
    candidates: Annotated[list[str], Field(description="PyCaret's ids of the classifiers.")]
    split: Annotated[str, Field(description="How rows are split to test models: auto, device, time or random.")]
    positive: Annotated[str, Field(description="Of two classes, the one to find.")]
    cost_missed: Annotated[float, Field(description="Cost of a missed reading of the positive class.")]
    cost_false_alarm: Annotated[float, Field(description="Cost of a false alarm.")]
    recall: Annotated[float, Field(description="The recall that the threshold keeps, instead of costs.")]


@with_config(ConfigDict(extra="allow"))
class Run(TypedDict):
    """A training run. A list omits its result; further keys come from its document in the registry."""

    id: Annotated[str, Field(description="The run's id; it begins with the time of the request.")]
    state: Annotated[State, Field(description="queued and running are not final; the others are.")]
    request: Annotated[RunRequest, Field(description="The request.")]
    by: Annotated[str, Field(description="Who requested it: a key, or a person at the command line.")]
    created_at: Annotated[str, Field(description="Time of the request, ISO 8601, UTC.")]
    started_at: Annotated[
        str | None, Field(description="Time when it started, ISO 8601, UTC; null while it is queued.")
    ]
    ended_at: Annotated[str | None, Field(description="Time when it ended, ISO 8601, UTC; null until then.")]
    progress: Annotated[str | None, Field(description="The current step; null if not reported.")]
    error: Annotated[str | None, Field(description="Why it failed or was cancelled; null otherwise.")]
    run: NotRequired[Annotated[str, Field(description="The run's id again, part of the result.")]]
    rows: NotRequired[Annotated[int, Field(description="Number of labeled readings used for training.")]]
    metric: NotRequired[Annotated[str, Field(description="The metric that ranked the candidates.")]]
    leaderboard: NotRequired[
        Annotated[list[Candidate], Field(description="All classifiers that were compared, best first.")]
    ]
    models: NotRequired[Annotated[list[Trained], Field(description="The candidates that were packed, best first.")]]
    seconds: NotRequired[Annotated[dict[str, float], Field(description="Duration of each step, in seconds.")]]


class RunPage(TypedDict):
    """A page of runs."""

    runs: Annotated[list[Run], Field(description="Newest first.")]
    next: Next


class WantedRun(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"metric": "F1", "notes": "November"}]})

    metric: Annotated[Metric | None, Field(description="The metric that ranks the candidates.")] = None
    names: Annotated[list[str], Field(max_length=20, description="Names for the models, by rank.")] = []
    notes: Annotated[str, Field(max_length=2_000, description="Notes, stored with the models.")] = ""
    candidates: Annotated[
        list[str] | None, Field(max_length=30, description="PyCaret's ids of the classifiers; all by default.")
    ] = None
    split: Annotated[
        SplitKind | None,
        Field(
            description="How rows are split to test models. A split that cannot be made fails the run; "
            "by default that of the settings."
        ),
    ] = None
    positive: Annotated[
        str | None, Field(max_length=256, description="Of two classes, the one to find; the rarer by default.")
    ] = None
    cost_missed: Annotated[
        float | None, Field(gt=0, le=1e12, description="Cost of a missed reading of the positive class.")
    ] = None
    cost_false_alarm: Annotated[float | None, Field(gt=0, le=1e12, description="Cost of a false alarm.")] = None
    recall: Annotated[
        float | None, Field(gt=0, le=1, description="The recall that the threshold keeps, instead of costs.")
    ] = None


@router.post(
    "",
    status_code=202,
    summary="Request a training run on the labeled readings of the buffer; it registers the best models",
    responses={**answer(202, "The run, queued for the trainer.", EXAMPLE, AT), **responses(409)},
    **needs("operator"),
)
def start_run(wanted: WantedRun, services: Held, actor: Acting, response: Response) -> Run:
    request = cast(training_queue.RunRequest, wanted.model_dump(exclude_none=True))
    asked = acts.request(actor, services.registry, services.runs, request)
    response.headers["Location"] = f"/v1/runs/{asked.id}"
    return describe(asked)


@router.get(
    "",
    summary="List training runs, newest first",
    responses=answer(200, "A page of runs, without their results.", {"runs": [EXAMPLE], "next": None}),
    **needs("viewer"),
)
def list_runs(
    services: Held,
    limit: Annotated[int, Query(ge=1, le=200, description="Maximum number of runs on the page.")] = 50,
    before: Annotated[str | None, Query(description="`next` of the previous page.", max_length=64)] = None,
) -> RunPage:
    """Lists the runs requested over the API and those of `zelador train`."""
    asked = {run.id: run for run in services.runs.list()}
    ids = sorted({*asked, *services.registry.runs()}, reverse=True)  # an id begins with its time
    left = [run for run in ids if before is None or run < before]
    page = [_facts(services, run, asked.get(run), whole=False) for run in left[:limit]]
    return {"runs": page, "next": left[limit - 1] if len(left) > limit else None}


@router.get(
    "/{run}",
    summary="Get a run: its state, its progress, and its result once it is done",
    responses={**answer(200, "The run.", EXAMPLE), **responses(404)},
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
    summary="Cancel a queued or running run; no model is registered",
    description="A queued run is cancelled at once; a running one within seconds, unless it is done first.",
    responses={**answer(202, "The run: cancelled, or still running.", EXAMPLE), **responses(404, 409)},
    **needs("operator"),
)
def cancel_run(run: Id, services: Held, actor: Acting) -> Run:
    return describe(acts.cancel(actor, services.runs, run))


def _facts(services: Services, run: str, asked: training_queue.Run | None, whole: bool) -> Run:
    """The run, from Redis or, if Redis has no such run (any more), from the registry. Raises NotFound."""
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
    """The run, merged with the parts of its result; without them for a list."""
    found: dict[str, Any] = msgspec.to_builtins(run)
    result = found.pop("result") or {}
    return cast(Run, {**found, **(result if whole else {}), "id": run.id})
