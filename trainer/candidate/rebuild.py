"""Fits a classifier that PyCaret compared again, as a plain scikit-learn pipeline."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from trainer.candidate.boosters import Encoded, library_of
from trainer.evaluate.balance import balanced
from trainer.evaluate.split_rows import Parts
from zelador.errors import ZeladorError


class NotRebuilt(ZeladorError):
    """The plain pipeline and PyCaret's own model give different labels."""


def rebuild(model: Any, split: Parts, balance: int | None = None) -> Pipeline:
    """Returns a pipeline of an imputer and a copy of the estimator, fitted on the training rows with text labels.

    It loads without PyCaret, and its classes are the labels themselves. `balance` is the seed with which rows of rare
    classes are repeated; None to leave the rows as they are.
    """
    estimator = clone(model)
    if "n_jobs" in estimator.get_params():
        estimator.set_params(n_jobs=1)
    imputer = SimpleImputer(strategy="mean")
    rows = imputer.fit_transform(split.train)
    return Pipeline([("imputer", imputer), ("model", fit(estimator, rows, np.array(split.train_labels), balance))])


def fit(estimator: Any, rows: Any, labels: Any, balance: int | None) -> Any:
    if library_of(estimator) is not None and not hasattr(estimator, "estimators"):
        estimator = Encoded(estimator)
    if balance is not None:
        rows, labels = balanced(rows, labels, balance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence: PyCaret compared it with the same parameters
        return estimator.fit(rows, labels)


def check_rebuilt(pipeline: Pipeline, fitted: Any, transformed: Any, split: Parts) -> None:
    """Checks that `pipeline` and PyCaret's `fitted` model give the same label on every hold-out row.

    `transformed` are the hold-out rows as PyCaret's own model takes them. Raises NotRebuilt.
    """
    expected = [split.classes[int(code)] for code in np.ravel(fitted.predict(transformed))]
    found = pipeline.predict(split.holdout).tolist()
    differ = sum(a != b for a, b in zip(expected, found, strict=True))
    if differ:
        raise NotRebuilt(
            f"rebuilt without PyCaret, it gives a different label on {differ} of {len(found)} hold-out rows"
        )
