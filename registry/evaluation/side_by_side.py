"""Models on the same labeled rows, side by side: metrics with intervals, and differences to the first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from registry.evaluation.blocks import blocks
from registry.evaluation.bootstrap import Resamples, difference, intervals
from registry.evaluation.scores import METRICS, Answers, Scores, confusion, scores
from zelador.errors import InvalidInput

BY_ROW = "row"
Pair = list[float]


class Data(TypedDict):
    """The labeled rows. `digest` is the SHA-256 of the file, or of the request."""

    source: str
    digest: str
    rows: int
    classes: dict[str, int]
    notes: list[str]


class Difference(TypedDict):
    """Of a metric from the first model's, with its 95 % interval. `clear`: the interval does not hold 0."""

    value: float | None
    interval: Pair | None
    clear: bool


class ConfusionTable(TypedDict):
    labels: list[str]
    counts: list[list[int]]  # a row for each true class, a column for each predicted class


class ModelScores(TypedDict):
    name: str
    digest: str
    metrics: Scores
    intervals: dict[str, Pair | None]
    confusion: ConfusionTable
    differences: dict[str, Difference] | None  # by metric; None for the first model
    notes: list[str]


class Evaluation(TypedDict):
    """`positive`: the class of Recall, Precision, F1 and PR-AUC; None with more than two classes. `by`: what is drawn
    for the intervals (device, time, device and time, row); `blocks`: how many of them. `no_intervals`: why there are
    none.
    """

    at: str
    by_whom: str
    data: Data
    positive: str | None
    by: str
    blocks: int
    no_intervals: str | None
    models: list[ModelScores]


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
    """Raises InvalidInput for rows that say nothing, or a model that has none of their classes."""
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
        differences = None
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
    """With the probabilities in the order of all classes; a class that a model does not have gets 0."""
    probabilities = None
    if model.probabilities is not None:
        probabilities = np.zeros((len(expected), len(classes)))
        probabilities[:, [classes.index(label) for label in model.classes]] = model.probabilities
    return Answers.of(expected, model.labels, classes, probabilities, positive)


def _difference(model: Answers, first: Answers, resamples: Resamples, metric: str) -> Difference:
    found = difference(model, first, resamples, metric)
    span = None if found.interval is None else list(found.interval)
    return Difference(value=found.value, interval=span, clear=found.is_clear)


def _blocks(devices: Sequence[str] | None, times: Sequence[int] | None, rows: int) -> NDArray[np.int64]:
    codes = None if devices is None else np.unique(np.array(devices, dtype=object).astype(str), return_inverse=True)[1]
    moments = None if times is None else np.array(times, dtype=np.int64)
    return blocks(None if codes is None else codes.astype(np.int64), moments, rows)
