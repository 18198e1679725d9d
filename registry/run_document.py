"""The document of a training run: `runs/<id>/run.json`, the output of `zelador train --json`, and the API's answer.

TypedDicts, because all three are this JSON with its keys in this order. A document grows while its run proceeds:
`split` comes before the comparison, `leaderboard` with it, `ended_at` when the run ends, `error` if it fails, and the
rest if it is done. Keys that runs of earlier versions lack are NotRequired.
"""

from __future__ import annotations

import secrets
from collections.abc import Container
from datetime import datetime, timezone
from typing import Literal, NotRequired, TypedDict, cast

from registry.model.manifest import ServedBy
from registry.run_trainer import TrainerFacts
from zelador.training_queue import RunRequest, RunState

Scores = dict[str, float | None]  # by metric; None where the metric is not defined for the model
Intervals = dict[str, tuple[float, float] | None]  # by metric: both ends of the 95 % interval; None if there is none

DataFacts = TypedDict(
    "DataFacts",
    {
        "source": str,
        "rows": int,
        "from": str | None,  # times of measurement, ISO 8601; None if not known
        "to": str | None,
        "classes": dict[str, int],  # rows by class
        "missing_values": int,
        "sha256": str,
        "notes": list[str],
        "query": NotRequired[dict[str, object]],  # of a data set; repeating it gives the same rows
        "digest": NotRequired[str],  # of the data set
        "labels_at": NotRequired[str],  # the labels are those that were known at this moment
    },
)
DataFacts.__doc__ = "A description of the data that a model was trained on."


Question = TypedDict(
    "Question",
    {
        "rows": int,
        "blocks": int | None,
        "devices": NotRequired[int | None],  # None if they are not known
        "from": NotRequired[str | None],  # times of measurement, ISO 8601; None if not known
        "to": NotRequired[str | None],
    },
)
Question.__doc__ = "A part of the rows; of the hold-out, by what it asks: a new device, or later days?"

HoldoutFacts = TypedDict("HoldoutFacts", {"sha256": str, "from": int | None, "to": int | None})
HoldoutFacts.__doc__ = "Identifies a hold-out: a digest of its rows, and their times in ms since 1970 UTC."


class SeenClass(TypedDict):
    """The rows of a class by device, in the order of `SeenFacts.devices`; on how many devices it was seen at all.

    A class that is `alone` was seen on one device or in one recording only, so it cannot be evaluated.
    """

    rows: list[int]
    devices: int
    alone: bool


class SeenFacts(TypedDict):
    """Which class was seen on which device: the devices with most rows, of all `of`, by name."""

    devices: list[str]
    of: int
    classes: dict[str, SeenClass]


class SplitFacts(TypedDict):
    """How the rows were split. `blocks` counts independent stretches; None where rows were drawn one by one.

    `learned` are the rows of the folds. `seen` is there if a class cannot be evaluated.
    """

    kind: Literal["device", "time", "device_and_time", "random"]
    asked: Literal["auto", "device", "time", "random"]
    folds: int
    folds_by: Literal["device", "block", "row"]
    blocks: int | None
    holdout_rows: int
    holdout_blocks: int | None
    questions: dict[str, Question]  # new_device, later
    learned: NotRequired[Question]
    seen: NotRequired[SeenFacts]
    notes: list[str]
    holdout: NotRequired[HoldoutFacts | None]


class MovedFacts(TypedDict):
    """The scores of two small models with the labels moved at random, as a histogram: `counts` from `low` to `high`.

    `real` is their score with the real labels; `as_good` of `moves` moves did as well.
    """

    metric: str
    real: float
    moves: int
    as_good: int
    low: float
    high: float
    counts: list[int]


class VerdictFacts(TypedDict):
    """The best model. `tied` are models that cannot be told apart; `p` is from a test with moved labels, `moved`."""

    kind: Literal["clear", "tied", "nothing_to_learn", "not_evaluable"]
    sentence: str
    tied: list[str]
    p: float | None
    moved: NotRequired[MovedFacts]


class LeaderboardRow(TypedDict):
    """A classifier that was compared. `place` and `seconds` are None if it failed."""

    place: int | None
    id: str  # PyCaret's
    model_type: str
    metrics: Scores  # over all folds together; empty if it failed
    seconds: float | None
    trouble: str | None  # why it was excluded; None if it was not
    intervals: NotRequired[Intervals]
    shuffled: NotRequired[Scores]  # the scores that a shuffled split would have shown
    optimism: NotRequired[float | None]  # by how much they are too good, in the ranking metric
    within_device: NotRequired[Scores | None]  # within the devices that have only one class
    us_per_row: NotRequired[float | None]
    served_by: NotRequired[ServedBy | None]


class Agreement(TypedDict, total=False):
    """Compares the compiled model and its pipeline; without `rows` and the keys after it if it did not compile."""

    served_by: ServedBy
    reason: str
    rows: int
    labels_that_differ: int
    largest_difference: float | None  # of a probability; None if there are no probabilities to compare
    pipeline_us: float
    onnx_us: float


class Confusion(TypedDict):
    """Counts on the hold-out: a row for each true class, a column for each predicted class."""

    labels: list[str]
    counts: list[list[int]]


class Candidate(TypedDict):
    """A classifier that was rebuilt and packed. `rank` 1 is the recommended one."""

    rank: int
    model_type: str
    metrics: Scores  # over all folds together
    holdout: Scores
    served_by: ServedBy
    agreement: Agreement
    confusion: Confusion
    intervals: NotRequired[Intervals]
    holdout_intervals: NotRequired[Intervals]
    questions: NotRequired[dict[str, Scores]]  # the hold-out by question
    question_intervals: NotRequired[dict[str, Intervals]]
    shuffled: NotRequired[Scores]
    optimism: NotRequired[float | None]
    threshold: NotRequired[float | None]
    calibrated: NotRequired[bool]
    us_per_row: NotRequired[float | None]
    within_device: NotRequired[Scores | None]
    from_first: NotRequired[Scores]  # difference from the recommended candidate, over all folds; 0 for that one
    from_first_intervals: NotRequired[Intervals]
    difference: NotRequired[Scores | None]  # from the live model, on the same rows
    difference_intervals: NotRequired[Intervals | None]
    not_recommended: NotRequired[bool]
    parameters: NotRequired[dict[str, str | int | float | bool | None]]  # of its classifier, those of parts left out


class TrainedModel(Candidate):
    """A candidate with the name it is registered under; None if it was only stored."""

    name: str | None
    note: NotRequired[str]  # why it is not registered under the requested name


class Reference(TypedDict):
    """The live model on the same hold-out. `note` is a caveat, or why it could not be evaluated.

    `us_per_row` is the time that it took in its own run.
    """

    name: str
    model_type: str | None
    holdout: Scores
    holdout_intervals: Intervals
    note: str | None
    questions: NotRequired[dict[str, Scores]]  # on the rows of each question
    question_intervals: NotRequired[dict[str, Intervals]]
    us_per_row: NotRequired[float | None]


class Promotion(TypedDict):
    """The decision of the policy whether the best model replaces the selected one, `against`.

    `holdout_uses` is how many decisions the hold-out has judged before.
    """

    promoted: bool
    reason: str
    sentence: str
    model: str | None
    against: str | None
    metric: str
    margin: float
    difference: float | None
    interval: tuple[float, float] | None
    holdout_uses: int


class Seconds(TypedDict, total=False):
    """The duration of a run's steps, in seconds. `shuffled` is what the comparison with a shuffled split took."""

    compare: float
    shuffled: float
    rebuild: float
    total: float


class RunDocument(TypedDict):
    run: str
    by: str
    metric: NotRequired[str]  # what the candidates are ranked by
    notes: NotRequired[str]
    request: NotRequired[RunRequest]  # with the values of the settings where the request had none; without the query
    started_at: str  # ISO 8601, UTC
    rows: NotRequired[int]
    data: NotRequired[DataFacts]
    features: NotRequired[list[str]]
    positive: NotRequired[str | None]  # of Recall, Precision, F1 and PR-AUC; None with more than two classes
    split: NotRequired[SplitFacts]
    verdict: NotRequired[VerdictFacts]
    reference: NotRequired[Reference | None]
    leaderboard: NotRequired[list[LeaderboardRow]]
    state: RunState
    trainer: NotRequired[TrainerFacts]  # while it is running
    error: NotRequired[str]
    ended_at: NotRequired[str]
    seconds: NotRequired[Seconds]
    classes: NotRequired[list[str]]
    train_rows: NotRequired[int]
    holdout_rows: NotRequired[int]
    models: NotRequired[list[TrainedModel]]
    promotion: NotRequired[Promotion]


KEYS = tuple(RunDocument.__annotations__)
RESULT: tuple[
    Literal[
        "run", "rows", "data", "metric", "positive", "split", "verdict", "reference", "leaderboard", "models",
        "promotion", "seconds", "holdout_rows",
    ],
    ...,
] = (
    "run", "rows", "data", "metric", "positive", "split", "verdict", "reference", "leaderboard", "models",
    "promotion", "seconds", "holdout_rows",
)  # fmt: skip


def result_of(document: RunDocument) -> dict[str, object]:
    """The parts of a finished run's document that the training queue stores with the run."""
    return {key: document[key] for key in RESULT if key in document}


def in_order(document: RunDocument) -> RunDocument:
    """The document with its keys in the order above; keys of a later version come last."""
    known = {key: place for place, key in enumerate(KEYS)}
    return cast(RunDocument, dict(sorted(document.items(), key=lambda item: known.get(item[0], len(KEYS)))))


def default_name(model_type: str, run: str, taken: Container[str]) -> str:
    """`<ModelType>_<YYYYMMDD>_<HHMMSS>`; with the run's suffix if a run of the same second has taken that name."""
    name = f"{model_type}_{run.split('-')[0]}"
    return f"{model_type}_{run}" if name in taken else name


def new_run_id() -> str:
    """`<YYYYMMDD>_<HHMMSS>-<4 hex>`, UTC."""
    return f"{datetime.now(timezone.utc):%Y%m%d_%H%M%S}-{secrets.token_hex(2)}"
