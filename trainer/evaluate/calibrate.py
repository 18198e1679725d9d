"""Probabilities that mean what they say, made on out-of-fold scores: PyCaret's and scikit-learn's own would leak.

Both use plain stratified folds inside, which put neighbors of a row on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV, _CalibratedClassifier, _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.pipeline import Pipeline

ISOTONIC_ROWS = 1_000  # with fewer, a step function follows the noise
KNOTS = 24  # of the isotonic function; fewer where scores lie close together
CLOSEST = 1e-3  # distance of two knots, as a share of the scores' range: steeper is not exact in single precision

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Method = Literal["sigmoid", "isotonic"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """From scores to probabilities. Scores are (rows, classes), or (rows, 1) of the second of two classes."""

    method: Method
    parts: tuple[Any, ...]  # a fitted regressor for each column of the scores

    @classmethod
    def fit(cls, scores: Array, labels: Codes) -> Self:
        method: Method = "isotonic" if len(labels) > ISOTONIC_ROWS else "sigmoid"
        first = 1 if scores.shape[1] == 1 else 0
        columns = enumerate(scores.T, start=first)
        return cls(method, tuple(_fitted(method, column, labels == number) for number, column in columns))

    def probabilities(self, scores: Array) -> Array:
        """(rows, classes), as scikit-learn computes them."""
        found = np.stack([part.predict(column) for part, column in zip(self.parts, scores.T, strict=True)], axis=1)
        if found.shape[1] == 1:
            return np.hstack([1 - found, found])
        total = found.sum(axis=1, keepdims=True)
        shares: Array = np.divide(found, total, out=np.full_like(found, 1 / found.shape[1]), where=total != 0)
        return shares

    def wrap(self, pipeline: Pipeline) -> Pipeline:
        """The fitted pipeline with its last step calibrated; of scikit-learn's own types, so that it can be saved.

        The one place that knows how: `cv="prefit"` is gone in later versions of scikit-learn.
        """
        *steps, (name, estimator) = pipeline.steps
        found = CalibratedClassifierCV(estimator, method=self.method, cv="prefit")
        found.classes_ = estimator.classes_
        found.n_features_in_ = estimator.n_features_in_
        found.calibrated_classifiers_ = [
            _CalibratedClassifier(estimator, list(self.parts), classes=estimator.classes_, method=self.method)
        ]
        return Pipeline([*steps, (name, found)])


def cross(scores: Array, labels: Codes, folds: Codes) -> Array:
    """Probabilities of each row by a calibration that was made without the rows of its fold."""
    found = np.empty((len(labels), max(2, scores.shape[1])))
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = Calibration.fit(scores[~here], labels[~here]).probabilities(scores[here])
    return found


def scores_of(estimator: Any, rows: Any) -> Array:
    """What is calibrated, chosen as scikit-learn does: decision values, or probabilities where there are none."""
    if hasattr(estimator, "decision_function"):
        return shaped(estimator.decision_function(rows))
    return shaped(estimator.predict_proba(rows))


def shaped(values: Any) -> Array:
    """As (rows, classes); of two classes only the second."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim == 1:
        return found[:, None]
    return found[:, 1:] if found.shape[1] == 2 else found


def _fitted(method: Method, scores: Array, is_it: NDArray[np.bool_]) -> Any:
    if method == "sigmoid":
        return _SigmoidCalibration().fit(scores, is_it.astype(np.float64))
    exact = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(scores, is_it.astype(np.float64))
    knots = _knots(scores)
    return IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(knots, _means(exact, scores, knots))


def _knots(scores: Array) -> Array:
    """Distinct scores at equal shares of the rows, none too close to the one before it."""
    wanted = np.unique(np.quantile(scores, np.linspace(0, 1, KNOTS), method="nearest"))
    least = CLOSEST * (wanted[-1] - wanted[0])
    kept = [wanted[0]]
    for knot in wanted[1:]:
        if knot - kept[-1] >= least:
            kept.append(knot)
    return np.array(kept)


def _means(exact: IsotonicRegression, scores: Array, knots: Array) -> Array:
    """The mean of the isotonic function over the rows nearest to each knot."""
    nearest = np.searchsorted((knots[1:] + knots[:-1]) / 2, scores)
    total = np.bincount(nearest, weights=exact.predict(scores), minlength=len(knots))
    return np.maximum.accumulate(total / np.maximum(1, np.bincount(nearest, minlength=len(knots))))
