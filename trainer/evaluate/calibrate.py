"""Calibrates probabilities on out-of-fold scores.

The calibration of PyCaret and scikit-learn would leak: both draw plain stratified folds, which put neighbors of a row
on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV, _CalibratedClassifier, _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

ISOTONIC_ROWS = 1_000  # with fewer rows, a step function follows the noise
KNOTS = 24  # of the isotonic function; fewer where scores lie close together
CLOSEST = 0.02  # least distance of two knots, as a share of the scores' range; closer is inexact in single precision

ENDS = 0.01  # share of the rows beyond the outermost knots: a single far score must not set the scale
MARGIN = 0.01  # between 0.5 and the probability next to the middle
FLATTEST = 1e-3  # least slope of a sigmoid over the range of the scores, even if the scores predict nothing

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Method = Literal["sigmoid", "isotonic"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps scores to probabilities. Scores are (rows, classes), or (rows, 1) for the second of two classes."""

    method: Method
    parts: tuple[Any, ...]  # a fitted regressor for each column of the scores

    @classmethod
    def fit(cls, scores: Array, labels: Codes, middle: float) -> Self:
        """Fits a calibration. Of two classes, a model predicts the second from the score `middle` up; it becomes 0.5.

        So the more probable class is still the one that the model predicts. With more classes, all share one function.
        """
        if scores.shape[1] > 1:
            is_it = np.arange(scores.shape[1])[None, :] == labels[:, None]
            shared = _increasing(_SigmoidCalibration().fit(scores.ravel(), is_it.ravel().astype(np.float64)), scores)
            return cls("sigmoid", (shared,) * scores.shape[1])
        if len(labels) > ISOTONIC_ROWS:
            return cls("isotonic", (_isotonic(scores[:, 0], labels == 1, middle),))
        return cls("sigmoid", (_sigmoid(scores[:, 0], labels == 1, middle),))

    def probabilities(self, scores: Array) -> Array:
        """Returns probabilities, (rows, classes), as scikit-learn computes them."""
        found = np.stack([part.predict(column) for part, column in zip(self.parts, scores.T, strict=True)], axis=1)
        if found.shape[1] == 1:
            return np.hstack([1 - found, found])
        total = found.sum(axis=1, keepdims=True)
        shares: Array = np.divide(found, total, out=np.full_like(found, 1 / found.shape[1]), where=total != 0)
        return shares

    def wrap(self, pipeline: Pipeline) -> Pipeline:
        """Returns the fitted pipeline with its last step calibrated, in scikit-learn's own types, which can be saved.

        Only this function depends on `cv="prefit"`, which later versions of scikit-learn removed.
        """
        *steps, (name, estimator) = pipeline.steps
        found = CalibratedClassifierCV(estimator, method=self.method, cv="prefit")
        found.classes_ = estimator.classes_
        found.n_features_in_ = estimator.n_features_in_
        found.calibrated_classifiers_ = [
            _CalibratedClassifier(estimator, list(self.parts), classes=estimator.classes_, method=self.method)
        ]
        return Pipeline([*steps, (name, found)])


def cross(scores: Array, labels: Codes, folds: Codes, middle: float) -> Array:
    """Returns probabilities of each row, by a calibration that was fitted without the rows of its fold."""
    found = np.empty((len(labels), max(2, scores.shape[1])))
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = Calibration.fit(scores[~here], labels[~here], middle).probabilities(scores[here])
    return found


def scores_of(estimator: Any, rows: Any) -> Array:
    """Returns the scores to calibrate, as scikit-learn chooses them: decision values, else probabilities."""
    if hasattr(estimator, "decision_function"):
        return shaped(estimator.decision_function(rows))
    return shaped(estimator.predict_proba(rows))


def shaped(values: Any) -> Array:
    """Returns the values as (rows, classes); for two classes as (rows, 1), of the second."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim == 1:
        return found[:, None]
    return found[:, 1:] if found.shape[1] == 2 else found


def middle_of(estimator: Any) -> float:
    """Returns the score of `scores_of` from which up the second of two classes is predicted."""
    return 0.0 if hasattr(estimator, "decision_function") else 0.5


def _sigmoid(scores: Array, is_it: NDArray[np.bool_], middle: float) -> Any:
    """Fits a sigmoid with one parameter, the slope; its value at `middle` is always 0.5."""
    spread = float(np.abs(scores - middle).max()) or 1.0
    model = LogisticRegression(fit_intercept=False, C=100.0, max_iter=200)
    slope = 0.0
    if is_it.any() and not is_it.all():
        slope = float(model.fit(((scores - middle) / spread)[:, None], is_it).coef_[0, 0])
    found = _SigmoidCalibration()
    found.a_ = -max(slope, FLATTEST) / spread
    found.b_ = -found.a_ * middle
    return found


def _increasing(part: Any, scores: Array) -> Any:
    """Makes the sigmoid increase, so that the most probable class is the one with the highest score."""
    spread = float(np.abs(scores).max()) or 1.0
    part.a_ = min(part.a_, -FLATTEST / spread)
    return part


def _isotonic(scores: Array, is_it: NDArray[np.bool_], middle: float) -> IsotonicRegression:
    """Fits an isotonic function through a few knots, above 0.5 above the middle and below 0.5 below it."""
    exact = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(scores, is_it.astype(np.float64))
    knots = _knots(scores)
    shares = _knot_means(exact, scores, knots)
    gap = CLOSEST * max(float(knots[-1] - knots[0]), 1e-6)
    low, high = knots < middle - gap, knots > middle + gap
    below = np.minimum(shares[low], 0.5 - MARGIN)
    above = np.maximum(shares[high], 0.5 + MARGIN)
    x = np.concatenate([knots[low], [middle - gap, middle, middle + gap], knots[high]])
    ends = (below[-1:] if len(below) else [0.5 - MARGIN], above[:1] if len(above) else [0.5 + MARGIN])
    y = np.concatenate([below, ends[0], [0.5], ends[1], above])
    return IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(x, y)


def _knots(scores: Array) -> Array:
    """Returns distinct scores at equal shares of the rows, none too close to the one before it."""
    wanted = np.unique(np.quantile(scores, np.linspace(ENDS, 1 - ENDS, KNOTS), method="nearest"))
    least = CLOSEST * (wanted[-1] - wanted[0])
    kept = [wanted[0]]
    for knot in wanted[1:]:
        if knot - kept[-1] >= least:
            kept.append(knot)
    return np.array(kept)


def _knot_means(exact: IsotonicRegression, scores: Array, knots: Array) -> Array:
    """Returns the mean of the isotonic function over the rows nearest to each knot."""
    nearest = np.searchsorted((knots[1:] + knots[:-1]) / 2, scores)
    total = np.bincount(nearest, weights=exact.predict(scores), minlength=len(knots))
    return np.maximum.accumulate(total / np.maximum(1, np.bincount(nearest, minlength=len(knots))))
