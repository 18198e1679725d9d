"""A training run as the API, the command line and the console show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from registry.model.manifest import ServedBy
from registry.run_document import RunDocument
from zelador import training_queue
from zelador.training_queue.run import ACTIVE

State = Literal["queued", "running", "done", "failed", "cancelled"]


@with_config(ConfigDict(extra="allow"))
class CandidateBody(TypedDict):
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
class TrainedBody(TypedDict):
    """A candidate that the run packed, and registered if requested; further keys as in its document."""

    name: Annotated[str | None, Field(description="Name of the registered model; null if it was not registered.")]
    saved_as: NotRequired[
        Annotated[list[str], Field(description="Names of the models that come from it, also those saved later.")]
    ]
    note: NotRequired[Annotated[str, Field(description="Why it does not have the requested name.")]]
    rank: Annotated[
        int, Field(description="Rank in the run, from 1: the recommended candidate, then by score on the folds.")
    ]
    model_type: Annotated[str, Field(description="Full name of the classifier.")]
    metrics: Annotated[
        dict[str, float | None], Field(description="Over all folds together, by metric; null if not defined.")
    ]
    holdout: Annotated[dict[str, float | None], Field(description="On the hold-out, by metric; null if not defined.")]
    served_by: Annotated[ServedBy, Field(description="The form that live inference runs.")]
    agreement: Annotated[dict[str, Any], Field(description="Comparison of the pipeline and the compiled model.")]
    confusion: Annotated[dict[str, Any], Field(description="Labels, and counts on the hold-out rows.")]


@with_config(ConfigDict(extra="allow"))
class RunRequestBody(TypedDict, total=False):
    """The request for a run. The settings decide everything else."""

    metric: Annotated[str, Field(description="The metric that ranks the candidates.")]
    names: Annotated[list[str], Field(description="Names for the models, by rank.")]
    notes: Annotated[str, Field(description="Notes, stored with the models.")]
    register: Annotated[
        bool | list[int], Field(description="Which of the best are registered: all, none, or those of some ranks.")
    ]
    candidates: Annotated[list[str], Field(description="PyCaret's ids of the classifiers.")]
    classes: Annotated[list[str], Field(description="Only readings with these labels.")]
    devices: Annotated[list[str], Field(description="Only readings of these devices.")]
    dataset: Annotated[dict[str, Any], Field(description="The query of the readings, as of `POST /v1/datasets`.")]
    split: Annotated[str, Field(description="How rows are split to test models: auto, device, time or random.")]
    positive: Annotated[str, Field(description="The positive class of two.")]
    cost_missed: Annotated[float, Field(description="Cost of a missed reading of the positive class.")]
    cost_false_alarm: Annotated[float, Field(description="Cost of a false alarm.")]
    recall: Annotated[float, Field(description="The recall that the threshold keeps, instead of costs.")]
    exclude: Annotated[list[str], Field(description="Ids of classifiers that are not compared.")]
    tune_s: Annotated[float, Field(description="Seconds to try other hyperparameters of the best three.")]
    budget_s: Annotated[float, Field(description="Seconds after which no further classifier is compared.")]
    blend: Annotated[bool, Field(description="Also the mean of the probabilities of the best three.")]
    stack: Annotated[bool, Field(description="Also a model of the probabilities of the best three.")]
    balance: Annotated[bool, Field(description="Rows of rare classes are repeated in what a model is fitted on.")]
    gpu: Annotated[bool, Field(description="PyCaret may use a GPU.")]


@with_config(ConfigDict(extra="allow"))
class RunBody(TypedDict):
    """A training run. A list omits its result; further keys come from its document in the registry."""

    id: Annotated[str, Field(description="The run's id; it begins with the time of the request.")]
    state: Annotated[State, Field(description="queued and running are not final; the others are.")]
    request: Annotated[RunRequestBody, Field(description="The request.")]
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
    data: NotRequired[
        Annotated[
            dict[str, Any],
            Field(
                description="The data of the run: its `query`, which gives the same again, its `digest`, and "
                "`labels_at`, the moment at which the labels were taken as they were."
            ),
        ]
    ]
    metric: NotRequired[Annotated[str, Field(description="The metric that ranked the candidates.")]]
    leaderboard: NotRequired[
        Annotated[list[CandidateBody], Field(description="All classifiers that were compared, best first.")]
    ]
    models: NotRequired[Annotated[list[TrainedBody], Field(description="The candidates that were packed, by rank.")]]
    promotion: NotRequired[
        Annotated[dict[str, Any], Field(description="Whether its best model was selected automatically, and why.")]
    ]
    seconds: NotRequired[Annotated[dict[str, float], Field(description="Duration of each step, in seconds.")]]


@dataclass(frozen=True, slots=True)
class RunView:
    """A training run. Times are ISO 8601, UTC.

    `result` is the part of the run's document that is known; any key may be absent. The queue has the leaderboard and
    the models of a run that is done. The registry has the whole document.
    """

    id: str
    state: State
    request: training_queue.RunRequest
    by: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    progress: str | None
    error: str | None
    result: RunDocument

    @classmethod
    def of(cls, run: training_queue.Run, document: RunDocument | None = None) -> RunView:
        """The run of the queue, with the registry's `document` if it is given, else with the queue's part of it."""
        result = document if document is not None else cast(RunDocument, run.result or {})
        return cls(
            run.id,
            run.state,
            run.request,
            run.by,
            run.created_at,
            run.started_at,
            run.ended_at,
            run.progress,
            run.error,
            result,
        )

    @property
    def is_active(self) -> bool:
        """True while the run is queued or running."""
        return self.state in ACTIVE

    def body(self, whole: bool = True) -> RunBody:
        """The run as JSON, merged with its result; without the result for a list."""
        own = {name: getattr(self, name) for name in self.__slots__ if name != "result"}
        found: dict[str, Any] = {**own, **(self.result if whole else {}), **own}
        found.pop("trainer", None)  # of the machine; nobody else's business
        return cast(RunBody, found)
