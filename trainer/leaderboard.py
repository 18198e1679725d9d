"""From the candidates' fold scores to the order in which they are chosen. Pure."""

from __future__ import annotations

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
    """A candidate (PyCaret's id) with its score in each fold, by metric."""

    id: str
    folds: Mapping[str, Sequence[float]]

    @property
    def model_type(self) -> str:
        return MODEL_TYPES.get(self.id, self.id)

    def mean(self, metric: str) -> float | None:
        """The mean over the folds; None where the metric is not defined for this model."""
        scores = self.folds[metric]
        if metric == "AUC" and not any(scores):
            return None  # PyCaret writes 0 for a model or a task that has none
        return sum(scores) / len(scores)

    def trouble(self) -> str | None:
        """Why it must not be chosen: a fold that failed is scored 0 by PyCaret without a word."""
        failed = sum(score == 0.0 for score in self.folds["Accuracy"])
        if failed:
            return f"{failed} of {len(self.folds['Accuracy'])} folds failed"
        if self.id == BASELINE:
            return "the baseline: it looks at no feature"
        return None


def ranked(scored: Sequence[Scored], metric: str) -> list[Scored]:
    """Best first by the mean at full precision; equals by accuracy, then by name, so that a run can be repeated.

    Candidates that must not be chosen come last.
    """

    def order(candidate: Scored) -> tuple[bool, float, float, str]:
        score = candidate.mean(metric)
        accuracy = candidate.mean("Accuracy") or 0.0
        return (candidate.trouble() is not None, -(score if score is not None else -1.0), -accuracy, candidate.id)

    return sorted(scored, key=order)
