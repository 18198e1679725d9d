"""From readings as people write them to the rows that a classifier takes, and back to answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from registry.model.classifier import Classifier, Rows
from zelador.errors import InvalidInput


class Answer(TypedDict):
    """What a model says of one reading."""

    label: Annotated[str, Field(description="What it is.")]
    confidence: Annotated[float | None, Field(description="The label's probability, 0 to 1; null without any.")]
    probabilities: Annotated[dict[str, float] | None, Field(description="By label; null for a model that has none.")]


def rows_of(readings: Sequence[Mapping[str, Any]], features: Sequence[str]) -> Rows:
    """(readings, features) values. Raises InvalidInput, naming the reading and the feature."""
    return np.array(
        [[_number(reading, feature, index) for feature in features] for index, reading in enumerate(readings)],
        dtype=np.float64,
    ).reshape(len(readings), len(features))


def answers_of(classifier: Classifier, readings: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """Of each reading."""
    answer = classifier.classify(rows_of(readings, classifier.features))
    if answer.probabilities is None:
        return [{"label": label, "confidence": None, "probabilities": None} for label in answer.labels]
    shares = [dict(zip(classifier.classes, row, strict=True)) for row in answer.probabilities.tolist()]
    return [
        {"label": label, "confidence": share[label], "probabilities": share}
        for label, share in zip(answer.labels, shares, strict=True)
    ]


def _number(reading: Mapping[str, Any], feature: str, index: int) -> float:
    value = reading.get(feature)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # an integer beyond any float
        pass
    raise InvalidInput(f"readings[{index}].{feature}: a finite number is needed, got {str(value)[:80]!r}")
