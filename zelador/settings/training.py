"""The trainer."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Literal

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
)
from pydantic_settings import (
    NoDecode,
)

from zelador.model_metrics import METRICS, Metric
from zelador.settings.section import Section, names

SplitKind = Literal["auto", "device", "time", "random"]


class TrainingSettings(Section):
    instance: str = Field(
        default="trainer-1",
        description="Name of this trainer; stable, and unique among trainers.",
    )
    metric: Metric = Field(
        default="F1",
        description=f"Metric that ranks candidates: {', '.join(METRICS[:-1])} or {METRICS[-1]}.",
    )
    candidates: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None,
        description=(
            "PyCaret's ids of the classifiers to compare, separated by commas. all: every one that is installed, also "
            "the slow ones. None: PyCaret's turbo mode, without xgboost and catboost."
        ),
    )
    exclude: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None, description="PyCaret's ids of classifiers that are not compared, separated by commas."
    )
    tune_s: Annotated[float, Field(gt=0.0, le=86_400.0)] | None = Field(
        default=None,
        description="Time to try other hyperparameters of the best three, on the same folds. None: no tuning.",
    )
    budget_s: Annotated[float, Field(gt=0.0, le=86_400.0)] | None = Field(
        default=None,
        description=(
            "Time after which no further classifier is compared. The run continues with those compared by then, at "
            "least one. None: only the limit of the run."
        ),
    )
    blend: bool = Field(default=False, description="Also try the mean of the probabilities of the best three.")
    stack: bool = Field(default=False, description="Also try a model of the probabilities of the best three.")
    balance: bool = Field(
        default=False,
        description="Repeat rows of rare classes until all classes have equally many, in the rows that models learn.",
    )
    parallel: Literal["dask", "ray", "spark"] | None = Field(
        default=None,
        description="Compare classifiers on a cluster, by PyCaret's FugueBackend. None: in the run's own process.",
    )
    parallel_address: str | None = Field(
        default=None,
        description=(
            "Address of the cluster, such as tcp://scheduler:8786 (dask), ray://head:10001 or spark://master:7077. "
            "None: workers on this machine."
        ),
    )
    gpu: bool = Field(default=False, description="Let PyCaret use a GPU where a classifier can.")
    split: SplitKind = Field(
        default="auto",
        description=(
            "How rows are split to test models: whole devices (device), the last stretch of time (time), rows drawn at "
            "random (random), or the best that the data allows (auto). If the split cannot be made, the run fails."
        ),
    )
    folds: Annotated[int, Field(ge=2, le=20)] | None = Field(
        default=None, description="Folds of the cross-validation. None: 5, or fewer with few devices or blocks."
    )
    keep: Annotated[int, Field(ge=1, le=20)] = Field(default=5, description="How many of the best are registered.")
    holdout: Annotated[float, Field(gt=0.0, lt=0.9)] | None = Field(
        default=None,
        description=(
            "Share of the devices, of the time or of the rows that no candidate sees during training. "
            "None: 0.2; 0.3 for rows drawn at random."
        ),
    )
    positive: str | None = Field(
        default=None,
        description="The positive class of two: Recall, Precision, F1, PR-AUC and the threshold are about it. None: "
        "the rarer one.",
    )
    cost_missed: PositiveFloat = Field(
        default=1.0,
        description="Cost of a missed reading of the positive class. The threshold minimizes the total cost.",
    )
    cost_false_alarm: PositiveFloat = Field(default=1.0, description="Cost of a false alarm, in the same unit.")
    recall: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        default=None,
        description="Recall of the positive class that the threshold must keep. It replaces the costs.",
    )
    seed: int = Field(
        default=7, description="Seed of the split and of every candidate: the same data give the same run."
    )
    max_rows: PositiveInt = Field(
        default=100_000, description="Maximum number of rows. If there are more, this many are drawn at random."
    )
    timeout_s: PositiveFloat = Field(
        default=3_600.0,
        description="Limit of one run. One that reaches it finishes with the candidates that it has compared.",
    )
    nice: Annotated[int, Field(ge=0, le=19)] = Field(
        default=10,
        description="Niceness of a run's processes: 0 is the normal priority, 19 the lowest.",
    )
    warm: bool = Field(
        default=False,
        description=(
            "Whether a trainer imports PyCaret when it starts, for its first run: that run then begins seconds sooner. "
            "Until then the trainer takes about 300 MB more memory."
        ),
    )

    schedule: str | None = Field(
        default=None,
        description=(
            "When runs start automatically: a cron expression of five fields in ZELADOR_TIME_ZONE. 30 2 * * 1-5 is "
            "2:30 a.m., Monday to Friday. None: never."
        ),
    )
    on_new_labels: PositiveInt | None = Field(
        default=None,
        description="A run starts when this many readings have been labeled since the last one. None: never.",
    )
    promote: Literal["never", "better"] = Field(
        default="never",
        description=(
            "Whether the best model of a run is selected automatically: never, or when it is better than the selected "
            "one on the same hold-out, with the whole interval above ZELADOR_TRAINING__PROMOTE_MARGIN."
        ),
    )
    promote_margin: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0, description="How much better a model must be to be promoted, in ZELADOR_TRAINING__METRIC."
    )

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, text: str | None) -> str | None:
        if text is None or not text.strip():
            return None
        if (count := len(text.split())) != 5:
            raise ValueError(f"{text[:80]!r} has {count} fields, and a cron expression has five, such as 30 2 * * 1-5")
        try:
            from cronsim import CronSim, CronSimError  # only the trainer needs it
        except ImportError:
            return text
        try:
            next(CronSim(text, datetime.now(timezone.utc)))
        except (CronSimError, StopIteration) as error:
            raise ValueError(f"{text[:80]!r} is not a valid schedule: {error}; for example 30 2 * * 1-5") from None
        return text

    @field_validator("candidates", "exclude", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)
