"""The trainer."""

from __future__ import annotations

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

from zelador.settings.section import Section, names

Metric = Literal["Accuracy", "AUC", "Recall", "Precision", "F1", "Kappa", "MCC"]


class TrainingSettings(Section):
    instance: str = Field(
        default="trainer-1",
        description="The trainer's name among the trainers; stable and unique.",
    )
    metric: Metric = Field(
        default="F1",
        description="Metric that ranks candidates: Accuracy, AUC, Recall, Precision, F1, Kappa or MCC.",
    )
    candidates: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None,
        description=(
            "PyCaret's ids of the classifiers to compare, separated by commas. None: PyCaret's turbo mode, without "
            "xgboost and catboost."
        ),
    )
    folds: Annotated[int, Field(ge=2, le=20)] = Field(default=5, description="Folds of the cross-validation.")
    keep: Annotated[int, Field(ge=1, le=20)] = Field(default=5, description="How many of the best are registered.")
    holdout: Annotated[float, Field(gt=0.0, lt=0.9)] = Field(
        default=0.3,
        description="Share of the rows that no candidate sees during training.",
    )
    seed: int = Field(
        default=7, description="Seed of the split and of every candidate: the same data give the same run."
    )
    max_rows: PositiveInt = Field(
        default=100_000, description="Maximum number of rows. From more, this many are drawn at random."
    )
    timeout_s: PositiveFloat = Field(default=3_600.0, description="Limit of one run.")

    @field_validator("candidates", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)
