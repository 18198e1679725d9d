"""Ranks the candidates by their scores in the folds. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

METRICS = ("Accuracy", "AUC", "Recall", "Precision", "F1", "Kappa", "MCC")

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


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate's score in each fold, by metric. `id` is PyCaret's; `seconds` is how long its comparison took."""

    id: str
    folds: Mapping[str, Sequence[float]]
    has_probabilities: bool = True
    seconds: float | None = None

    @property
    def model_type(self) -> str:
        return MODEL_TYPES.get(self.id, self.id)

    def mean(self, metric: str) -> float | None:
        """The mean over the folds; None where the metric is not defined for this model."""
        scores = self.folds[metric]
        if metric == "AUC" and not (self.has_probabilities and all(scores)):
            return None  # PyCaret writes 0 if there is none
        if not scores or not all(math.isfinite(score) for score in scores):
            return None
        return sum(scores) / len(scores)

    def trouble(self) -> str | None:
        """The reason why it must not be chosen, or None. PyCaret silently scores a fold that failed with 0.

        A small fold can also have a true accuracy of 0: its kappa is below 0, that of a failed fold is 0.
        """
        folds = list(zip(self.folds["Accuracy"], self.folds["Kappa"], strict=True))
        failed = sum(not accuracy > 0 and not kappa < 0 for accuracy, kappa in folds)
        if failed:
            return f"{failed} of {len(folds)} folds failed"
        if self.id == BASELINE:
            return "the baseline: it ignores all features"
        return None


def ranked(scored: Sequence[Scored], metric: str) -> list[Scored]:
    """The best first, by mean at full precision. Ties go by accuracy, then by id, so that a run is reproducible.

    Candidates without the metric come after those that have it; candidates that must not be chosen come last.
    """

    def order(candidate: Scored) -> tuple[bool, float, float, str]:
        score = candidate.mean(metric)
        accuracy = candidate.mean("Accuracy") or 0.0
        return (candidate.trouble() is not None, math.inf if score is None else -score, -accuracy, candidate.id)

    return sorted(scored, key=order)
