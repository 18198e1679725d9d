"""Models on the same labeled rows, side by side: metrics with intervals, and differences to the first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import TypedDict

from registry.evaluation.blocks import blocks
from registry.evaluation.bootstrap import Resamples, difference, intervals
from registry.evaluation.scores import Answers, Scores, confusion, scores
from zelador.errors import InvalidInput
from zelador.model_metrics import METRICS

BY_ROW = "row"
Pair = list[float]


class EvaluationData(TypedDict):
    """The labeled rows of an evaluation."""

    source: Annotated[str, Field(description="Source of the rows, such as a file's name.")]
    digest: Annotated[str, Field(description="SHA-256 of the file, or of the request.")]
    rows: Annotated[int, Field(description="Number of rows that were used.")]
    classes: Annotated[dict[str, int], Field(description="Rows by label.")]
    notes: Annotated[list[str], Field(description="What was left out or taken as something; what to be careful of.")]


class MetricDifference(TypedDict):
    """The difference of a metric from that of the first model, on the same rows."""

    value: Annotated[float | None, Field(description="Positive if this model is better; null if it is not defined.")]
    interval: Annotated[Pair | None, Field(description="95 % interval: low, high; null if there is none.")]
    clear: Annotated[bool, Field(description="True if the interval does not hold 0.")]


class ConfusionTable(TypedDict):
    """Counts by true and predicted class."""

    labels: Annotated[list[str], Field(description="The classes, in the order of rows and columns.")]
    counts: Annotated[list[list[int]], Field(description="A row for each true class, a column for each predicted one.")]


class ModelScores(TypedDict):
    """The scores of one model."""

    name: Annotated[str, Field(description="Name of the model.")]
    digest: Annotated[str, Field(description="The model's digest.")]
    metrics: Annotated[Scores, Field(description="By metric; null where one is not defined.")]
    intervals: Annotated[
        dict[str, Pair | None], Field(description="95 % interval by metric: low, high; null if there is none.")
    ]
    confusion: Annotated[ConfusionTable, Field(description="Which classes were taken for which.")]
    differences: Annotated[
        dict[str, MetricDifference] | None, Field(description="By metric, to the first model; null for the first.")
    ]
    notes: Annotated[list[str], Field(description="What to know of this model.")]


class Evaluation(TypedDict):
    """Models on the same labeled rows, side by side."""

    at: Annotated[str, Field(description="Time of the evaluation, ISO 8601, UTC.")]
    by_whom: Annotated[str, Field(description="Who evaluated: a key, or a person at the command line.")]
    data: Annotated[EvaluationData, Field(description="The rows.")]
    positive: Annotated[
        str | None, Field(description="Class of Recall, Precision, F1 and PR-AUC; null with more than two classes.")
    ]
    by: Annotated[str, Field(description="What is drawn for the intervals: device, time, device and time, or row.")]
    blocks: Annotated[int, Field(description="Number of blocks.")]
    no_intervals: Annotated[str | None, Field(description="Why there are no intervals; null if there are.")]
    models: Annotated[list[ModelScores], Field(description="The models, in the order of the request.")]


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a model predicted for each row; `probabilities` is (rows, its classes) or None."""

    name: str
    digest: str
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    positive: str | None
    by: str
    blocks: int
    no_intervals: str | None
    models: list[ModelScores]


def side_by_side(
    expected: Sequence[str],
    models: Sequence[Predicted],
    devices: Sequence[str] | None,
    times: Sequence[int] | None,
    positive: str | None = None,
) -> Compared:
    """Raises InvalidInput if the rows cannot rank models, or a model has none of their classes."""
    known = sorted(set(expected))
    if len(known) < 2:
        raise InvalidInput(f"the rows have only the class {known[0]!r}; an evaluation needs two" if known else
                           "no row has a label and all values, so that there is nothing to evaluate")  # fmt: skip
    for model in models:
        if not set(model.classes) & set(known):
            raise InvalidInput(
                f"{model.name} predicts {', '.join(model.classes[:6])}, and the rows have the labels "
                f"{', '.join(known[:6])}: not one is the same"
            )
    resamples = Resamples.of(_blocks(devices, times, len(expected)))
    found: list[ModelScores] = []
    first: Answers | None = None
    reason: str | None = None
    chosen: str | None = None
    classes = tuple(sorted({*expected, *(label for model in models for label in model.classes)}))
    for model in models:
        answers = _answers(expected, model, classes, positive)
        chosen = answers.positive
        spans = intervals(answers, resamples)
        reason = reason or spans.reason
        differences: dict[str, MetricDifference] | None = None
        if first is not None:
            differences = {metric: _difference(answers, first, resamples, metric) for metric in METRICS}
        first = first or answers
        found.append(
            ModelScores(
                name=model.name,
                digest=model.digest,
                metrics=scores(answers),
                intervals={metric: None if span is None else list(span) for metric, span in spans.of.items()},
                confusion=ConfusionTable(labels=list(classes), counts=confusion(answers)),
                differences=differences,
                notes=list(model.notes),
            )
        )
    return Compared(chosen, unit_of(devices, times), resamples.blocks, reason, found)


def unit_of(devices: Sequence[str] | None, times: Sequence[int] | None) -> str:
    names = [name for name, there in (("device", devices), ("time", times)) if there is not None]
    return " and ".join(names) or BY_ROW


def class_counts(labels: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(labels).items()))


def _answers(expected: Sequence[str], model: Predicted, classes: tuple[str, ...], positive: str | None) -> Answers:
    """The answers with probabilities in the order of all classes; a class that a model does not have gets 0."""
    probabilities = None
    if model.probabilities is not None:
        probabilities = np.zeros((len(expected), len(classes)))
        probabilities[:, [classes.index(label) for label in model.classes]] = model.probabilities
    return Answers.of(expected, model.labels, classes, probabilities, positive)


def _difference(model: Answers, first: Answers, resamples: Resamples, metric: str) -> MetricDifference:
    found = difference(model, first, resamples, metric)
    span = None if found.interval is None else list(found.interval)
    return MetricDifference(value=found.value, interval=span, clear=found.is_clear)


def _blocks(devices: Sequence[str] | None, times: Sequence[int] | None, rows: int) -> NDArray[np.int64]:
    codes = None if devices is None else np.unique(np.array(devices, dtype=object).astype(str), return_inverse=True)[1]
    moments = None if times is None else np.array(times, dtype=np.int64)
    return blocks(None if codes is None else codes.astype(np.int64), moments, rows)
