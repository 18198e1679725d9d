"""Evaluate models on labeled rows, and store the result with each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operations.actor import Actor
from operations.acts import models as acts
from registry.evaluation.side_by_side import (
    BY_ROW,
    Evaluation,
    EvaluationData,
    ModelScores,
    Predicted,
    class_counts,
    side_by_side,
)
from registry.metadata import mapping
from registry.model.rows import Answer
from registry.registry import Registry
from zelador.clock import now_iso
from zelador.errors import InvalidInput
from zelador.messages import label_text
from zelador.printable import counted
from zelador.ranges import Ranges
from zelador.settings import Settings

KEY = "evaluations"  # of a model's metadata
MAX_EVALUATIONS = 5  # evaluations of a model; beyond this, the oldest is removed
PORTION = 1_000  # readings classified at once
MAX_MODELS = 10

Classify = Callable[[str, Sequence[Mapping[str, Any]]], Sequence[Answer]]


@dataclass(frozen=True, slots=True)
class Labeled:
    """Rows with labels; `devices` and `times` (milliseconds) of each row if they are known. `notes` are passed on."""

    readings: Sequence[Mapping[str, Any]]
    labels: Sequence[str | float | bool | None]
    source: str
    digest: str
    devices: Sequence[str] | None = None
    times: Sequence[int] | None = None
    notes: Sequence[str] = field(default=())


def evaluate(
    actor: Actor | None,
    registry: Registry,
    classify: Classify,
    names: Sequence[str],
    rows: Labeled,
    settings: Settings,
    by_whom: str,
    positive: str | None = None,
) -> Evaluation:
    """Compares the models; the first one is the reference. With an `actor`, the result is stored with each model.

    Rows that lack a label or a value, or that would be refused live, are left out for all models. Raises InvalidInput,
    ModelNotFound, ModelRefused, Unavailable.
    """
    if not names or len(set(names)) != len(names) or len(names) > MAX_MODELS:
        raise InvalidInput(f"name 1 to {MAX_MODELS} different models")
    state = registry.sync()
    manifests = {name: registry.manifest(name) for name in names if state.model(name)}
    features = tuple(dict.fromkeys(each.name for found in manifests.values() for each in found.features))
    kept, labels, notes = _usable(rows, features, settings)
    readings = [rows.readings[place] for place in kept]
    predicted = [
        _predicted(name, state.model(name).digest, manifests[name].classes, classify, readings) for name in names
    ]
    devices = None if rows.devices is None else [rows.devices[place] for place in kept]
    times = None if rows.times is None else [rows.times[place] for place in kept]
    wanted = None if positive is None else label_text(positive)
    found = side_by_side(labels, predicted, devices, times, wanted)
    if found.by == BY_ROW:
        notes.append(
            "no column for device or time: the intervals are by row, and too narrow if neighboring rows are alike"
        )
    for name in names:
        source = mapping(state.model(name).metadata.get("data")).get("source")
        if source == rows.source:
            notes.append(f"{name} was trained on a table named {rows.source}; its scores on the same rows are too good")
    data = EvaluationData(
        source=rows.source, digest=rows.digest, rows=len(labels), classes=class_counts(labels), notes=notes
    )  # fmt: skip
    document = Evaluation(
        at=now_iso(),
        by_whom=by_whom,
        data=data,
        positive=found.positive,
        by=found.by,
        blocks=found.blocks,
        no_intervals=found.no_intervals,
        models=found.models,
    )
    if actor is not None:
        for scored in found.models:
            _keep(actor, registry, document, scored)
    return document


def _usable(rows: Labeled, features: Sequence[str], settings: Settings) -> tuple[list[int], list[str], list[str]]:
    """The places of the rows that can be used, their labels, and notes on the others."""
    ranges = Ranges.of(settings, features)
    kept: list[int] = []
    labels: list[str] = []
    unlabeled, refused, example = 0, 0, ""
    for place, (reading, given) in enumerate(zip(rows.readings, rows.labels, strict=True)):
        label = _label(given)
        if label is None:
            unlabeled += 1
            continue
        objection = ranges.complete_objection([_number(reading.get(feature)) for feature in features])
        if objection is not None:
            refused, example = refused + 1, example or objection
            continue
        kept.append(place)
        labels.append(label)
    notes = list(rows.notes)
    if unlabeled:
        notes.append(counted(unlabeled, "row without a label was", "rows without a label were") + " left out")
    if refused:
        notes.append(
            f"{counted(refused, 'row was', 'rows were')} left out, as live readings would be refused: {example}"
        )
    if not kept:
        raise InvalidInput(f"{rows.source} has no row that can be evaluated: {'; '.join(notes) or 'it is empty'}")
    return kept, labels, notes


def _predicted(
    name: str, digest: str, classes: Sequence[str], classify: Classify, readings: Sequence[Mapping[str, Any]]
) -> Predicted:
    answers: list[Answer] = []
    for start in range(0, len(readings), PORTION):
        answers += classify(name, readings[start : start + PORTION])
    texts = tuple(label_text(label) or label for label in classes)
    labels = tuple(label_text(answer["label"]) or answer["label"] for answer in answers)
    return Predicted(name, digest, texts, labels, _probabilities(answers, classes))


def _probabilities(answers: Sequence[Answer], classes: Sequence[str]) -> NDArray[np.float64] | None:
    found = [answer["probabilities"] for answer in answers]
    if any(shares is None for shares in found):
        return None
    table = np.array([[(shares or {}).get(label, 0.0) for label in classes] for shares in found], dtype=np.float64)
    return table.reshape(len(answers), len(classes))


def _keep(actor: Actor, registry: Registry, document: Evaluation, scored: ModelScores) -> None:
    """Writes the model's part of the result to its metadata, before earlier evaluations."""
    name = scored["name"]
    earlier = registry.state.model(name).metadata.get(KEY)
    part = {key: value for key, value in document.items() if key != "models"}
    part |= {key: scored[key] for key in ("metrics", "intervals", "confusion")}
    others = (
        [each for each in earlier if mapping(each).get("data", {}).get("digest") != document["data"]["digest"]]
        if (isinstance(earlier, list))
        else []
    )
    why = f"evaluated on {document['data']['source']}"
    acts.amend(actor, registry, name, {KEY: [part, *others][:MAX_EVALUATIONS]}, why=why)


def _label(given: str | float | bool | None) -> str | None:
    try:
        return label_text(given)
    except ValueError:
        return None


def _number(value: object) -> float:
    """The value as a number; NaN if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("inf")
