"""Ranks the candidates by their scores on rows that they were not fitted on. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.evaluation.scores import Scores

MODEL_TYPES = {
    "lr": "LogisticRegression",
    "knn": "KNearestNeighbors",
    "nb": "NaiveBayes",
    "dt": "DecisionTree",
    "svm": "LinearSVM",
    "rbfsvm": "RBFSVM",
    "gpc": "GaussianProcess",
    "mlp": "NeuralNetwork",
    "ridge": "Ridge",
    "rf": "RandomForest",
    "qda": "QuadraticDiscriminant",
    "ada": "AdaBoost",
    "gbc": "GradientBoosting",
    "lda": "LinearDiscriminant",
    "et": "ExtraTrees",
    "xgboost": "XGBoost",
    "lightgbm": "LightGBM",
    "catboost": "CatBoost",
    "dummy": "Dummy",
}
BASELINE = "dummy"
EVERY = "all"  # instead of names: every candidate whose package is installed, also the slow ones
MADE = {"blend": "Blend", "stack": "Stack"}  # of other candidates, by request
TUNED = "tuned_"


def model_type_of(id_: str) -> str:
    """The full name of a candidate."""
    if id_.startswith(TUNED):
        return f"Tuned{model_type_of(id_.removeprefix(TUNED))}"
    return MADE.get(id_) or MODEL_TYPES.get(id_, id_)


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its scores over all folds together. `id` is PyCaret's; `failed` says why it has no scores."""

    id: str
    scores: Scores = field(default_factory=dict)
    failed: str | None = None
    seconds: float | None = None

    @property
    def model_type(self) -> str:
        return model_type_of(self.id)

    def trouble(self) -> str | None:
        """The reason why it must not be chosen, or None."""
        if self.failed is not None:
            return self.failed
        if self.id == BASELINE:
            return "the baseline: it ignores all features"
        return None


def ranked(scored: Sequence[Scored], metric: str) -> list[Scored]:
    """The best first. Ties go by Matthews correlation, then by accuracy, then by id, so that a run is reproducible.

    Candidates without the metric come after those that have it; candidates that must not be chosen come last, those
    that failed at the very end.
    """

    def order(candidate: Scored) -> tuple[bool, bool, float, float, float, str]:
        by_metric, by_mcc, by_accuracy = (
            _descending(candidate.scores.get(name)) for name in (metric, "MCC", "Accuracy")
        )
        failed = candidate.failed is not None
        return failed, candidate.trouble() is not None, by_metric, by_mcc, by_accuracy, candidate.id

    return sorted(scored, key=order)


def _descending(score: float | None) -> float:
    return math.inf if score is None or not math.isfinite(score) else -score
