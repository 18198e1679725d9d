"""Converts a PyCaret pipeline into a plain scikit-learn pipeline, which can be loaded without PyCaret.

There is no training data to fit again, so the fitted parts are taken out of their wrappers. The result is accepted only
if both pipelines give the same answers for the same rows.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from registry.errors import TypeRefused
from registry.model.classifier import Rows, text_of

PROBES = 400  # rows at each width
WIDTHS = (0.02, 0.2, 1.0, 5.0)  # spread of the probes around the imputer's values, relative to them
TOLERANCE = 1e-6  # of a probability


def is_wrapped(model: Any) -> bool:
    return type(model).__module__.startswith("pycaret.") and hasattr(model, "steps")


def unwrap(model: Any) -> Any:
    """A scikit-learn Pipeline with the same answers as `model`. Raises TypeRefused if there is none."""
    from sklearn.pipeline import Pipeline

    features, labels, steps = _features(model), None, []
    for name, step in model.steps[:-1]:
        inner, include = getattr(step, "transformer", step), getattr(step, "include", None)
        kind = type(inner).__name__
        if include is not None and len(include) == 0:
            continue  # it changes no column
        if kind == "LabelEncoder":
            labels = [text_of(label) for label in inner.classes_.tolist()]
        elif type(inner).__module__.startswith("sklearn.") and (include is None or list(include) == features):
            steps.append((name, inner))
        elif kind != "CleanColumnNames":
            raise _refused(f"its step {name} ({kind}) has no plain form here")
    estimator = copy.deepcopy(model.steps[-1][1])
    if "n_jobs" in estimator.get_params():
        estimator.set_params(n_jobs=1)  # a worker must not use the cores of other processes
    if labels is not None:
        _relabel(estimator, labels)
    plain = Pipeline([*steps, ("model", estimator)])
    _check(plain, model, features)
    return plain


def _features(model: Any) -> list[str]:
    estimator = model.steps[-1][1]
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = getattr(estimator, "feature_name_", None)
    if names is None:
        raise _refused("its estimator does not know its features")
    return [str(name) for name in names]


def _relabel(estimator: Any, labels: list[str]) -> None:
    """Restores the labels as classes if PyCaret encoded them as numbers."""
    for holder in (estimator, *(getattr(estimator, name, None) for name in ("_label_binarizer", "_le"))):
        for name in ("classes_", "_classes"):
            codes = getattr(holder, "__dict__", {}).get(name)
            if codes is not None:
                setattr(holder, name, np.array([labels[int(code)] for code in codes]))


def _check(plain: Any, model: Any, features: list[str]) -> None:
    import pandas as pd

    rows = _probes(plain, len(features))
    frame = pd.DataFrame(rows, columns=features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ours, theirs = plain.predict(frame), model.predict(frame)
            far = 0.0
            if hasattr(plain, "predict_proba"):
                far = float(np.abs(plain.predict_proba(frame) - np.asarray(model.predict_proba(frame))).max())
        except Exception as error:  # noqa: BLE001 - whatever a foreign pipeline raises, it has no plain form
            raise _refused(f"without PyCaret it fails ({type(error).__name__}: {str(error)[:200]})") from None
    differ = sum(text_of(a) != text_of(b) for a, b in zip(ours.tolist(), np.asarray(theirs).tolist(), strict=True))
    if differ or far > TOLERANCE:
        raise _refused(f"without PyCaret {differ} of {len(rows)} labels differ, and probabilities by up to {far:.2g}")


def _probes(plain: Any, width: int) -> Rows:
    """Rows around the imputer's values, near and far, and a few with missing values."""
    draw = np.random.default_rng(7)
    known = [getattr(step, "statistics_", None) for _, step in plain.steps]
    center = np.asarray(next((found for found in known if found is not None), np.ones(width)), dtype=np.float64)
    rows = np.vstack([center * (1 + share * draw.standard_normal((PROBES, width))) for share in WIDTHS])
    if any(found is not None for found in known):
        rows[::50, draw.integers(0, width)] = np.nan
    return rows


def _refused(why: str) -> TypeRefused:
    return TypeRefused(f"the PyCaret pipeline cannot be saved: {why}; train it again with `zelador train`")
