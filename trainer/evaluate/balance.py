"""Rows of rare classes, repeated until all classes have equally many. Only what a model is fitted on is balanced."""

from __future__ import annotations

from typing import Any


def sampler(seed: int) -> Any:
    """A RandomOverSampler. PyCaret gets the same one, so that a rebuilt model sees the same rows as PyCaret's own."""
    from imblearn.over_sampling import RandomOverSampler  # type: ignore[import-untyped]  # half a second

    return RandomOverSampler(random_state=seed % (1 << 32))


def balanced(rows: Any, labels: Any, seed: int) -> tuple[Any, Any]:
    found: tuple[Any, Any] = sampler(seed).fit_resample(rows, labels)
    return found
