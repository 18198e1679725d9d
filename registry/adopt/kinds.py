"""Finds out whether a fitted object is a classifier; if not, says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from registry.errors import TypeRefused

REASONS = {
    "regressor": "a regressor: it predicts a number, not a class",
    "outlier_detector": "an outlier detector: it knows no classes",
    "clusterer": "a clustering: its groups are not classes that somebody named",
    "DensityEstimator": "a density estimate: it knows no classes",
}
BOOSTERS = {"lightgbm": "LGBMClassifier", "xgboost": "XGBClassifier", "catboost": "CatBoostClassifier"}


def is_estimator(given: Any) -> bool:
    """True for an object that predicts, or was fitted to transform. A pandas table has `transform` and is not."""
    if isinstance(given, type):
        return False
    can = {name for name in ("fit", "predict", "transform") if callable(getattr(given, name, None))}
    return "predict" in can or {"fit", "transform"} <= can or is_search(given)


def is_label_encoder(given: Any) -> bool:
    """LabelEncoder, LabelBinarizer, and an OrdinalEncoder of one column of texts: they convert labels, not readings."""
    kind = type(given).__name__
    if kind == "OrdinalEncoder":
        columns: Sequence[Any] = getattr(given, "categories_", ())
        return len(columns) == 1 and all(isinstance(each, str) for each in columns[0])
    return kind in ("LabelEncoder", "LabelBinarizer") and hasattr(given, "transform")


def labels_of(encoder: Any) -> list[Any]:
    """The labels that a fitted label encoder knows, in the order of their codes."""
    found = encoder.classes_ if hasattr(encoder, "classes_") else encoder.categories_[0]
    return list(np.asarray(found).tolist())


def is_search(given: Any) -> bool:
    """A search over parameters, such as GridSearchCV, whose result is another estimator."""
    return hasattr(given, "best_estimator_") or type(given).__name__.endswith("SearchCV")


def kind_of(given: Any) -> str | None:
    """scikit-learn's name for the kind of an estimator, such as "classifier"; None for a transformer."""
    try:
        kind = getattr(given, "_estimator_type", None)
    except Exception:  # noqa: BLE001 - a pipeline of an odd last step raises anything
        kind = None
    return kind if isinstance(kind, str) else None


def named(given: Any) -> str:
    """The type of an object, for people; of a pipeline also its last step."""
    steps = getattr(given, "steps", None)
    if isinstance(steps, list) and steps:
        return f"{type(given).__name__} that ends in {named(steps[-1][1])}"
    return type(given).__name__


def check_classifier(model: Any) -> None:
    """Raises TypeRefused, with the reason, unless `model` is a fitted classifier of one label."""
    full = f"{type(model).__module__}.{type(model).__qualname__}"
    if not is_estimator(model):
        raise TypeRefused(f"{full} cannot be saved: it is not a scikit-learn classifier (it has no predict)")
    kind = kind_of(model)
    if kind in REASONS:
        raise TypeRefused(f"{named(model)} is {REASONS[kind]}. Only classifiers can be registered")
    if is_label_encoder(model):
        raise TypeRefused(f"{named(model)} converts labels and is not a classifier; import it together with its model")
    if not callable(getattr(model, "predict", None)):
        raise TypeRefused(
            f"{named(model)} is a transformer: it prepares rows and predicts nothing; import it together with its model"
        )
    library = type(model).__module__.partition(".")[0]
    if kind != "classifier" and library in BOOSTERS and type(model).__name__ == "Booster":
        raise TypeRefused(
            f"{full} knows neither its classes nor what its numbers mean; save the "
            f"{BOOSTERS[library]} that it belongs to"
        )
    classes = getattr(model, "classes_", None)
    if classes is None:
        if kind == "classifier":
            raise TypeRefused(f"{named(model)} was never fitted: it has no classes_")
        raise TypeRefused(f"{full} is not a classifier: it has predict, but no classes_")
    if isinstance(classes, list) and classes and not isinstance(classes[0], str | int | float | bool | bytes):
        raise TypeRefused(
            f"{named(model)} predicts {len(classes)} labels for each row (multi-output); a registered "
            "model predicts one"
        )
    if getattr(model, "multilabel_", False):
        raise TypeRefused(
            f"{named(model)} predicts several labels for a row (multi-label); a registered model predicts one"
        )
