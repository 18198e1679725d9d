"""Decides whether a classifier can be served. The registry loads models of a few libraries only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LOADED = ("sklearn", "lightgbm")
NAMES = {"xgboost": "XGBoost", "catboost": "CatBoost"}


def refusal(model: Any) -> str | None:
    """Returns why the classifier, or one of those that it combines, cannot be served; None if it can."""
    for part in _parts(model):
        library = type(part).__module__.partition(".")[0]
        if library not in LOADED:
            return (
                f"it was compared only: a model of {NAMES.get(library, library)} cannot be served, as the registry "
                "loads models of scikit-learn and LightGBM and no others"
            )
    return None


def _parts(model: Any) -> Iterator[Any]:
    yield model
    for name in ("estimator", "final_estimator"):
        if hasattr(part := getattr(model, name, None), "fit"):
            yield from _parts(part)
    members = getattr(model, "estimators", None)
    for member in members if isinstance(members, list | tuple) else ():
        yield from _parts(member[1] if isinstance(member, tuple) else member)
