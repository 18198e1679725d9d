"""Ranks the candidates by their scores on rows that they were not fitted on. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.evaluation.scores import Scores
from trainer.evaluate.chance import guesses
from zelador.classifiers import MODEL_TYPES, TUNED

BASELINE = "dummy"
EVERY = "all"  # instead of names: every candidate whose package is installed, including the slow ones
MADE = {"blend": "Blend", "stack": "Stack"}  # made from other candidates, by request
TUNED_PREFIX = "tuned_"


def model_type_of(id_: str) -> str:
    """Returns a candidate's model type, such as `TunedRandomForest`."""
    if id_.startswith(TUNED_PREFIX):
        return f"{TUNED}{model_type_of(id_.removeprefix(TUNED_PREFIX))}"
    return MADE.get(id_) or MODEL_TYPES.get(id_, id_)


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its scores over all folds together. `id` is PyCaret's id. `failed` says why it has no scores."""

    id: str
    scores: Scores = field(default_factory=dict)
    failed: str | None = None
    seconds: float | None = None

    @property
    def model_type(self) -> str:
        return model_type_of(self.id)

    def trouble(self) -> str | None:
        """Why this candidate must not be chosen; None if it may be."""
        if self.failed is not None:
            return self.failed
        if self.id == BASELINE:
            return "the baseline: it ignores all features"
        return None


def ranked(scored: Sequence[Scored], metric: str) -> list[Scored]:
    """Sorts candidates, the best first. Ties are broken by Matthews correlation, then accuracy, then id.

    Candidates that do no better than guessing come after those that do: always "yes" finds every fault.
    Candidates without the metric come after those that have it. Candidates that must not be chosen come next, and those
    that failed come last.
    """

    def order(candidate: Scored) -> tuple[bool, bool, bool, float, float, float, str]:
        by_metric, by_mcc, by_accuracy = (
            _descending(candidate.scores.get(name)) for name in (metric, "MCC", "Accuracy")
        )
        failed = candidate.failed is not None
        return (
            failed, candidate.trouble() is not None, guesses(candidate.scores.get("MCC")), by_metric, by_mcc,
            by_accuracy, candidate.id,
        )  # fmt: skip

    return sorted(scored, key=order)


def _descending(score: float | None) -> float:
    return math.inf if score is None or not math.isfinite(score) else -score
