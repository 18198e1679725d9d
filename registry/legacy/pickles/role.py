"""Guesses from a followed pickle whether its object is a model, or something that was saved beside one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from registry.legacy.pickles.values import Instance, Mapping, Opaque

Role = Literal["model", "beside"]

MAX_DEPTH = 8
# Modules whose estimators prepare rows or labels and predict nothing.
PREPARES = tuple(
    f"sklearn.{name}"
    for name in (
        "preprocessing",
        "impute",
        "decomposition",
        "feature_extraction",
        "feature_selection",
        "kernel_approximation",
        "random_projection",
        "compose._column_transformer",
    )
)
DATA = ("numpy", "pandas", "builtins", "collections", "_codecs", "copyreg", "joblib.numpy_pickle")
INDEX = ("pandas.core.indexes.base._new_Index", "numpy.core.multiarray._reconstruct")
PIPELINES = ("sklearn.pipeline.Pipeline", "imblearn.pipeline.Pipeline")


def role_of(value: Any, names: Collection[str]) -> Role:
    """The role of the object. `value`: the result of the pickle; `names`: what it would import. An unknown object
    counts as a model until it is asked rows.
    """
    return "beside" if _is_beside(value, names, 0) else "model"


def _is_beside(value: Any, names: Collection[str], depth: int) -> bool:
    """True for transformers and encoders, alone or several, and for names of columns or classes."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, Instance):
        steps = value.state.get("steps")
        if value.name.text in PIPELINES and isinstance(steps, list) and steps and isinstance(steps[-1], tuple):
            return _is_beside(steps[-1][-1], names, depth + 1)
        return value.name.module.startswith(PREPARES) or (value.name.text in INDEX and _is_data(names))
    if isinstance(value, Mapping):
        value = list(value.items.values())
    if isinstance(value, list | tuple):
        if all(isinstance(each, str) for each in value):
            return len(value) > 1
        return any(isinstance(each, Instance | list | tuple) for each in value) and all(
            _is_beside(each, names, depth + 1) for each in value
        )
    return isinstance(value, Opaque) and _is_data(names)  # an array


def _is_data(names: Collection[str]) -> bool:
    return all(name.startswith((*PREPARES, *DATA)) for name in names)
