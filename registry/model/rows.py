"""Converts readings from a request into rows for a classifier, and the result into answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from registry.model.classifier import NO_PROBABILITIES, Classifier, Rows, without_probabilities
from zelador.errors import InvalidInput
from zelador.ranges import Ranges, objection
from zelador.settings import FieldSettings, Settings

ANY_NUMBER = FieldSettings()  # no physical range


class Answer(TypedDict):
    """The prediction of a model for one reading."""

    label: Annotated[str, Field(description="The predicted label.")]
    confidence: Annotated[
        float | None, Field(description="Probability of the label, 0 to 1; null if the model gives none.")
    ]
    probabilities: Annotated[
        dict[str, float] | None, Field(description="Probabilities by label; null if the model gives none.")
    ]


def rows_of(readings: Sequence[Mapping[str, Any]], features: Sequence[str]) -> Rows:
    """The values as an array (readings, features). Raises InvalidInput, naming the reading and the feature."""
    return np.array(
        [
            [_number(reading, features, feature, index) for feature in features]
            for index, reading in enumerate(readings)
        ],
        dtype=np.float64,
    ).reshape(len(readings), len(features))


def answers_of(
    classifier: Classifier, readings: Sequence[Mapping[str, Any]], settings: Settings | None = None
) -> list[Answer]:
    """The answer for each reading.

    Raises InvalidInput for a value that `settings` would refuse in a live reading, or that the model cannot use.
    """
    rows = rows_of(readings, classifier.features)
    if settings is not None:
        check_ranges(rows, Ranges.of(settings, classifier.features))
    answer = classifier.classify(rows)
    if answer.probabilities is None:
        return [{"label": label, "confidence": None, "probabilities": None} for label in answer.labels]
    if len(rows) and (odd := without_probabilities(answer.probabilities)):
        raise InvalidInput(f"readings[{odd[0]}]: {classifier.name} {NO_PROBABILITIES}")
    shares = [dict(zip(classifier.classes, row, strict=True)) for row in answer.probabilities.tolist()]
    return [
        {"label": label, "confidence": share[label], "probabilities": share}
        for label, share in zip(answer.labels, shares, strict=True)
    ]


def check_ranges(rows: Rows, ranges: Ranges) -> None:
    """Raises InvalidInput, naming the reading, for the first value outside the physical range of its feature."""
    for index, row in enumerate(rows.tolist()):
        if objection := ranges.objection(row):
            raise InvalidInput(f"readings[{index}]: {objection}")


def _number(reading: Mapping[str, Any], features: Sequence[str], feature: str, index: int) -> float:
    value = reading.get(feature)
    if value is None:
        needed = ", ".join(features)[:400]
        raise InvalidInput(f"readings[{index}]: {feature} is missing; the model needs {needed}")
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            if why := objection(float(value), feature, ANY_NUMBER):
                raise InvalidInput(f"readings[{index}]: {why}")
            return float(value)
    except OverflowError:  # an integer beyond any float
        pass
    raise InvalidInput(
        f"readings[{index}].{feature}: must be a finite number, not {json.dumps(value, default=str)[:80]}"
    )
