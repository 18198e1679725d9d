"""Evaluates the live model on the same rows as the new models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.errors import ModelRefused
from registry.evaluation.bootstrap import Resamples, intervals
from registry.evaluation.scores import Answers, scores
from registry.run_document import Reference
from trainer.run import request as requests
from trainer.run.request import Request

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Live:
    """The live model's answers; None if it cannot answer. The note in `facts` says why."""

    facts: Reference
    answers: Answers | None
    resamples: Resamples


def judge_live(
    folder: Path,
    request: Request,
    rows: NDArray[np.float64],
    labels: Codes,
    classes: tuple[str, ...],
    positive: str | None,
    resamples: Resamples,
    began: str | None,
    questions: Mapping[str, tuple[NDArray[np.bool_], Resamples]],
) -> Live | None:
    """Asks the live model for its answers to `rows`; returns None if no model is selected.

    `began` is the time of the earliest row, in ISO 8601; None if unknown. `questions` marks rows that are also counted
    on their own, with draws of these rows.
    """
    if request.live is None:
        return None
    empty = Reference(name=request.live, model_type=None, holdout={}, holdout_intervals={}, note=None)
    try:
        classifier, saved = requests.live(folder, request.live_digest)
    except (ModelRefused, OSError) as error:
        return Live({**empty, "note": str(error)[:300]}, None, resamples)
    empty["model_type"] = saved.metadata.get("model_type")
    if absent := [name for name in classifier.features if name not in request.features]:
        return Live({**empty, "note": f"it needs {absent[0]!r}, which is not among the features"}, None, resamples)
    if not len(rows):
        return Live({**empty, "note": "no row can be evaluated"}, None, resamples)
    order = [request.features.index(name) for name in classifier.features]
    try:
        indices, shares = classifier.run(rows[:, order])
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        return Live({**empty, "note": f"it fails on these rows: {str(error)[:200]}"}, None, resamples)
    answers = _answers(list(indices), shares, classifier.classes, labels, classes, positive)
    parts = {name: (answers.at(asked), drawn) for name, (asked, drawn) in questions.items()}
    facts: Reference = {
        **empty,
        "holdout": scores(answers),
        "holdout_intervals": intervals(answers, resamples).of,
        "questions": {name: scores(part) for name, (part, _) in parts.items()},
        "question_intervals": {name: intervals(part, drawn).of for name, (part, drawn) in parts.items()},
        "us_per_row": _time(saved.metadata.get("us_per_row")),
        "note": _note(saved.metadata.get("trained_to"), began),
    }
    return Live(facts, answers, resamples)


def _answers(
    indices: list[int],
    shares: NDArray[np.float64] | None,
    theirs: tuple[str, ...],
    labels: Codes,
    classes: tuple[str, ...],
    positive: str | None,
) -> Answers:
    """Returns the answers in the order of `classes`. Classes that only the live model has come last, and are wrong."""
    joined = (*classes, *(name for name in theirs if name not in classes))
    places = [joined.index(name) for name in theirs]
    found = None
    if shares is not None:
        found = np.zeros((len(labels), len(joined)))
        found[:, places] = shares
    return Answers(labels, np.array(places, np.int64)[indices], found, joined, positive)


def _time(found: object) -> float | None:
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _note(ended: object, began: str | None) -> str | None:
    """Returns a warning if the live model was trained on rows of the same time; it may have learned these."""
    if isinstance(ended, str) and began is not None and ended < began:
        return None
    return "it may have been trained on some of these rows, which would flatter it"
