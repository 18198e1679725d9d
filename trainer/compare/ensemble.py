"""Candidates made from others: a blend (the mean of their probabilities) and a stack (a model of their probabilities).

The stacks of PyCaret and scikit-learn draw plain folds inside, so that neighbors of a row are on both sides. This one
learns from the probabilities of the run's folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder

from trainer.evaluate.split_rows import Parts

BLEND, STACK = "blend", "stack"
MEMBERS = 3  # the best candidates that have probabilities

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack. `last` is the fitted model that takes the members' probabilities."""

    members: tuple[tuple[str, Any], ...]
    last: LogisticRegression


def blend(members: Sequence[tuple[str, Any]]) -> VotingClassifier:
    """Returns the blend, not fitted. `members` are pairs of id and model."""
    return VotingClassifier([(name, clone(model)) for name, model in members], voting="soft", flatten_transform=False)


def columns(shares: Sequence[Array]) -> Array:
    """Returns what a stack learns from: the probabilities of each member; of two classes, only the second's."""
    return np.hstack([each[:, 1:] if each.shape[1] == 2 else each for each in shares])


def stack(
    members: Sequence[tuple[str, Any]], shares: Sequence[Array], labels: Codes, folds: Codes
) -> tuple[Stack, Array]:
    """Returns the stack, and its score of each row by a last model that was fitted without the row's fold.

    `shares` are the members' probabilities of each row in the fold in which it was tested.
    """
    found, scores = columns(shares), None
    for fold in np.unique(folds):
        here = folds == fold
        values = np.asarray(_last_model().fit(found[~here], labels[~here]).decision_function(found[here]), np.float64)
        values = values[:, None] if values.ndim == 1 else values
        scores = np.empty((len(labels), values.shape[1])) if scores is None else scores
        scores[here] = values
    assert scores is not None  # noqa: S101 - there are folds
    return Stack(tuple(members), _last_model().fit(found, labels)), scores


def _last_model() -> LogisticRegression:
    return LogisticRegression(max_iter=1_000)


def fitted(made: Stack, parts: Parts, fit: Any) -> Pipeline:
    """Returns the stack as a plain pipeline. `fit` fits its members on all training rows."""
    imputer = SimpleImputer(strategy="mean").fit(parts.train)
    rows, labels = imputer.transform(parts.train), np.array(parts.train_labels)
    members = [(name, fit(_on_one_processor(clone(model)), rows, labels)) for name, model in made.members]
    model = StackingClassifier(members, final_estimator=made.last, cv="prefit", stack_method="predict_proba", n_jobs=1)
    model._label_encoder = LabelEncoder().fit(labels)
    model.classes_ = model._label_encoder.classes_
    model.estimators_ = [each for _, each in members]
    model.stack_method_ = ["predict_proba"] * len(members)
    model.final_estimator_ = made.last
    return Pipeline([("imputer", imputer), ("model", model)])


def _on_one_processor(model: Any) -> Any:
    if "n_jobs" in model.get_params():
        model.set_params(n_jobs=1)
    return model
