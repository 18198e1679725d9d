"""/v1/runs: starts, shows, compares, finishes and cancels training runs, and registers their candidates."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.api.datasets import WantedDataset
from admin.api.models import EXAMPLE as MODEL
from admin.document.answers import Next, answer, location
from admin.document.problems import responses
from admin.services import Held
from archive.dataset.query import as_json, query_of
from operations.acts import runs as acts
from operations.views.differences import SideBySide, as_csv
from operations.views.run_search import RunSearch
from operations.views.run_view import RunBody, RunView
from operations.views.threshold import Costs, ThresholdView, run_threshold
from registry.facts import Model
from zelador import training_queue
from zelador.errors import InvalidInput
from zelador.model_metrics import Metric
from zelador.settings import SplitKind

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


Rank = Annotated[int, Field(strict=True, ge=1, le=20)]
Note = Annotated[str, Field(max_length=4_000)]


class RunPage(TypedDict):
    """A page of runs."""

    runs: Annotated[list[RunBody], Field(description="Newest first.")]
    next: Next


class WantedRun(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"metric": "F1", "notes": "November"}]})

    metric: Annotated[Metric | None, Field(description="The metric that ranks the candidates.")] = None
    names: Annotated[list[str], Field(max_length=20, description="Names for the models, by rank.")] = []
    notes: Annotated[str, Field(max_length=2_000, description="Notes, stored with the models.")] = ""
    to_register: Annotated[
        bool | list[Rank],
        Field(
            alias="register",
            description="Which of the best are registered when the run is done: all, none, or these ranks. The others "
            "can be registered later.",
        ),
    ] = True
    candidates: Annotated[
        list[str] | None,
        Field(max_length=30, description='PyCaret\'s ids of the classifiers, or ["all"]; its turbo mode by default.'),
    ] = None
    include: Annotated[list[str] | None, Field(max_length=30, description="The same as `candidates`.")] = None
    exclude: Annotated[
        list[str] | None, Field(max_length=30, description="Ids of classifiers that are not compared.")
    ] = None
    tune_s: Annotated[
        float | None, Field(gt=0, le=86_400, description="Seconds for which settings of the best three are tried.")
    ] = None
    budget_s: Annotated[
        float | None, Field(gt=0, le=86_400, description="Seconds after which no further classifier is compared.")
    ] = None
    blend: Annotated[bool | None, Field(description="Also try the mean of the probabilities of the best three.")] = None
    stack: Annotated[bool | None, Field(description="Also try a model of the probabilities of the best three.")] = None
    balance: Annotated[bool | None, Field(description="Repeat rows of rare classes in the rows that models learn.")] = (
        None
    )
    gpu: Annotated[bool | None, Field(description="Let PyCaret use a GPU for classifiers that can.")] = None
    classes: Annotated[
        list[Annotated[str, Field(max_length=128)]] | None,
        Field(max_length=1_000, description="Only readings with these labels; by default, all classes large enough."),
    ] = None
    devices: Annotated[
        list[Annotated[str, Field(max_length=128)]] | None,
        Field(max_length=10_000, description="Only readings of these devices; all by default."),
    ] = None
    dataset: Annotated[
        WantedDataset | None,
        Field(description="Which readings, as in `POST /v1/datasets`; by default all in the archive and the buffer."),
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

    def request(self) -> training_queue.RunRequest:
        """Returns the request for the queue. Raises InvalidInput."""
        found = self.model_dump(exclude_none=True, by_alias=True)
        if (included := found.pop("include", None)) is not None:
            if "candidates" in found:
                raise InvalidInput("candidates and include are the same: name the classifiers in one of them")
            found["candidates"] = included
        return cast(training_queue.RunRequest, found)


class WantedModels(BaseModel):
    """Candidates of a run to register."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ranks": [1, 3], "names": ["pump-nov", "pump-nov-fast"]}]}
    )

    ranks: Annotated[
        list[Rank] | None,
        Field(min_length=1, max_length=20, description="Ranks of the candidates in the run; by default all."),
    ] = None
    names: Annotated[
        list[str],
        Field(max_length=20, description="Names, in the order of `ranks`. Candidates beyond them get default names."),
    ] = []
    notes: Annotated[
        Note | Annotated[list[Note], Field(max_length=20)],
        Field(description="One note for all, or a list in the order of `ranks`."),
    ] = ""


class Registered(TypedDict):
    """The models that were registered."""

    models: Annotated[list[Model], Field(description="In the requested order.")]


@router.post(
    "",
    status_code=202,
    summary="Request a training run on labeled readings; it registers the best models",
    description="`dataset` says which readings of the archive and the buffer. The run's `data` has the query that "
    "gives the same data again, its digest, and the moment at which the labels were taken as they were.",
    responses={**answer(202, "The run, queued for the trainer.", EXAMPLE, AT), **responses(409)},
    **needs("operator"),
)
def start_run(wanted: WantedRun, services: Held, actor: Acting, response: Response) -> RunBody:
    request = wanted.request()
    if wanted.dataset is not None:
        request["dataset"] = as_json(query_of(wanted.dataset.query(), services.settings))
    asked = acts.request(actor, services.registry, services.runs, request)
    response.headers["Location"] = f"/v1/runs/{asked.id}"
    return RunView.of(asked).body()


@router.get(
    "",
    summary="List training runs, newest first",
    responses=answer(200, "A page of runs, without their results.", {"runs": [EXAMPLE], "next": None}),
    **needs("viewer"),
)
def list_runs(
    services: Held,
    q: Annotated[
        str,
        Query(
            max_length=64,
            description="Only runs with this text in their id, notes, data, metric, verdict or error, in who requested "
            "them, or in the types and names of their models. A page may have fewer runs then, so go on until `next` "
            "is null.",
        ),
    ] = "",
    limit: Annotated[int, Query(ge=1, le=200, description="Maximum number of runs on the page.")] = 50,
    before: Annotated[str | None, Query(description="`next` of the previous page.", max_length=64)] = None,
) -> RunPage:
    """Lists the runs requested over the API and those of `zelador train`."""
    page, following = services.run_views.page(limit, before, RunSearch(q) if q.strip() else None)
    return {"runs": [run.body(whole=False) for run in page], "next": following}


@router.get(
    "/{run}",
    summary="Get a run: its state, its progress, and its result once it is done",
    responses={**answer(200, "The run.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_run(run: Id, services: Held) -> RunBody:
    return services.run_views.run(run).body()


COMPARED = {
    "reference": "RandomForest_20261124_115838",
    "models": ["RandomForest_20261124_115838", "LogisticRegression_20261124_115838"],
    "differs": [{"field": "model_type", "values": ["RandomForest", "LogisticRegression"]}],
    "scores": [
        {
            "part": "metrics",
            "metric": "F1",
            "values": [0.86, 0.79],
            "intervals": [[0.8, 0.92], [0.71, 0.87]],
            "deltas": [0.0, -0.07],
            "delta_intervals": [None, [-0.12, -0.02]],
        }
    ],
    "notes": [],
}
THRESHOLD = {
    "positive": "yes",
    "cost_missed": 500.0,
    "cost_false_alarm": 300.0,
    "recall": None,
    "rows": 960,
    "positives": 120,
    "asked": {"threshold": 0.375, "missed": 9, "false_alarms": 14, "cost": 9062.5, "folds_cost": 8120.0},
    "chosen": {"threshold": 0.5, "missed": 15, "false_alarms": 6, "cost": 9687.5, "folds_cost": 9905.0},
    "half": {"threshold": 0.5, "missed": 15, "false_alarms": 6, "cost": 9687.5, "folds_cost": 9905.0},
    "curve": [{"threshold": 0.375, "missed": 9, "false_alarms": 14, "cost": 9062.5, "folds_cost": None}],
    "held_out": True,
}
COMPARISON = answer(200, "The models side by side.", COMPARED)
COMPARISON[200]["content"]["text/csv"] = {"schema": {"type": "string"}, "example": "model,metrics.F1\nmine,0.86\n"}


@router.get(
    "/{run}/comparison",
    summary="Compare the models of a run: what differs, and their scores from a reference",
    description="Without `with`: the models of the run, and the model that was live at its beginning. With it: the "
    "best model of each run. `format=csv` answers with a row for each model.",
    response_model=SideBySide,
    responses={**COMPARISON, **responses(404, 409)},
    **needs("viewer"),
)
def compare_run(
    run: Id,
    services: Held,
    others: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Query(alias="with", max_length=100, description="Other runs. May be repeated."),
    ] = [],  # noqa: B006 - FastAPI copies it
    reference: Annotated[
        str | None,
        Query(max_length=256, description="The model that differences are from; by default the recommended one."),
    ] = None,
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="json, or csv.")] = "json",
) -> SideBySide | Response:
    found = services.run_views.compared(run, others, reference)
    return found if form == "json" else Response(as_csv(found), media_type="text/csv; charset=utf-8")


Cost = Annotated[float, Query(gt=0, le=1e12)]


@router.get(
    "/{run}/threshold",
    summary="Find the threshold for other costs, or for a share to find",
    description="Of a run with two classes: the threshold for these costs, and the errors there, at the candidate's "
    "own threshold and at 0.5, from the counts that are stored with the candidate. Changes nothing: a run gets costs "
    "as `cost_missed`, `cost_false_alarm` or `recall` in its request.",
    responses={**answer(200, "The threshold, and its errors.", THRESHOLD), **responses(404)},
    **needs("viewer"),
)
def show_threshold(
    run: Id,
    services: Held,
    rank: Annotated[int, Query(ge=1, le=20, description="Rank of the candidate.")] = 1,
    cost_missed: Annotated[Cost, Query(description="Cost of a missed reading of the positive class.")] = 1.0,
    cost_false_alarm: Annotated[Cost, Query(description="Cost of a false alarm.")] = 1.0,
    recall: Annotated[
        float | None, Query(gt=0, le=1, description="The share to find; then costs do not choose.")
    ] = None,
) -> ThresholdView:
    return run_threshold(services.registry, run, rank, Costs(cost_missed, cost_false_alarm, recall))


@router.post(
    "/{run}/register",
    status_code=201,
    summary="Register some candidates of a run as models, also weeks after it ended",
    description="All names are checked before the first is registered. No model is selected. A run and its candidates "
    "are kept for `ZELADOR_REGISTRY__KEEP_RUNS_S`, 90 days by default.",
    responses={**answer(201, "The new models, in the requested order.", {"models": [MODEL]}), **responses(404, 409)},
    **needs("operator"),
)
def register_candidates(run: Id, wanted: WantedModels, services: Held, actor: Acting) -> Registered:
    notes = [wanted.notes] if isinstance(wanted.notes, str) else wanted.notes
    chosen = acts.picks(services.registry, run, wanted.ranks, wanted.names, [] if notes == [""] else notes)
    return {"models": acts.save(actor, services.registry, run, chosen)}


@router.post(
    "/{run}/finish",
    status_code=202,
    summary="Finish a running run early, with the candidates that it has compared",
    description="The candidate in progress is ended. The best of those that were compared are kept and registered as "
    "requested, within a minute or so. A run that has compared none fails. Refused with 409 once all are compared.",
    responses={**answer(202, "The run, still running.", EXAMPLE), **responses(404, 409)},
    **needs("operator"),
)
def finish_run(run: Id, services: Held, actor: Acting) -> RunBody:
    return RunView.of(acts.finish(actor, services.runs, run)).body()


@router.post(
    "/{run}/cancel",
    status_code=202,
    summary="Cancel a queued or running run; no model is registered",
    description="A queued run is cancelled at once; a running one within seconds, unless it is done first. "
    "Refused with 409 while it registers its models.",
    responses={**answer(202, "The run: cancelled, or still running.", EXAMPLE), **responses(404, 409)},
    **needs("operator"),
)
def cancel_run(run: Id, services: Held, actor: Acting) -> RunBody:
    return RunView.of(acts.cancel(actor, services.runs, run)).body()
