"""From entries and a model to predictions, or to the reason why not. Pure but for the model's own call.

A reading that makes the model raise is found by halving the batch; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zelador.buffer import Delivered
from zelador.messages import Prediction, Reading, iso, prediction_id


class Answer(Protocol):
    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def probabilities(self) -> NDArray[np.float64] | None: ...


class Model(Protocol):
    """What the loop needs of a model; `registry.classifier.Classifier` is one."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    def classify(self, rows: NDArray[np.float64]) -> Answer: ...


@dataclass(slots=True)
class Answered:
    """One entry: a prediction for each reading in its order, or the reason why there is none."""

    delivered: Delivered
    predictions: list[Prediction] = field(default_factory=list)
    failures: list[tuple[Reading | None, str]] = field(default_factory=list)


def answer(
    batch: Sequence[Delivered],
    model: Model,
    selection: int,
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> list[Answered]:
    """Classifies all readings of `batch` in one call of the model where it can."""
    answered = [Answered(delivered) for delivered in batch]
    places: list[tuple[int, Reading]] = []
    rows: list[tuple[float, ...]] = []
    for index, item in enumerate(answered):
        entry = item.delivered.entry
        if entry is None:
            item.failures.append((None, "the buffer's entry cannot be decoded"))
            continue
        missing = [name for name in model.features if name not in item.delivered.features]
        if missing:
            reason = f"the model {model.name} needs {missing[0]}, which the reading does not have"
            item.failures.extend((reading, reason) for reading in entry.readings)
            continue
        order = _order(item.delivered.features, model.features)
        for reading in entry.readings:
            places.append((index, reading))
            rows.append(reading.values if order is None else tuple(reading.values[i] for i in order))
    if rows:
        matrix = np.array(rows, dtype=np.float64)
        results = _classify(model, matrix)
        predicted_at = iso(now())
        for (index, reading), result in zip(places, results, strict=True):
            item = answered[index]
            if isinstance(result, str):
                item.failures.append((reading, result))
            else:
                device_id = item.delivered.entry.device_id if item.delivered.entry else ""
                label, confidence, probabilities = result
                item.predictions.append(
                    Prediction(
                        id=prediction_id(reading.id, device_id, model.digest),
                        reading_id=reading.id,
                        device_id=device_id,
                        ts=iso(reading.measured_at),
                        label=label,
                        confidence=confidence,
                        probabilities=probabilities,
                        model=model.name,
                        model_digest=model.digest,
                        selection=selection,
                        predicted_at=predicted_at,
                    )
                )
    return answered


Result = tuple[str, float | None, dict[str, float] | None]


def _classify(model: Model, rows: NDArray[np.float64]) -> list[Result | str]:
    """A result for each row, or the text of what the model raised for it, found by halving."""
    try:
        given = model.classify(rows)
    except Exception as error:  # noqa: BLE001 - whatever a model raises is one reading's trouble, not the stream's
        if len(rows) == 1:
            return [f"the model {model.name} failed: {type(error).__name__}: {str(error)[:300]}"]
        half = len(rows) // 2
        return _classify(model, rows[:half]) + _classify(model, rows[half:])
    if given.probabilities is None:
        return [(label, None, None) for label in given.labels]
    classes = model.classes
    return [
        (label, (shares := dict(zip(classes, row, strict=True)))[label], shares)
        for label, row in zip(given.labels, given.probabilities.tolist(), strict=True)
    ]


def _order(have: tuple[str, ...], want: tuple[str, ...]) -> tuple[int, ...] | None:
    return None if have == want else tuple(have.index(name) for name in want)
