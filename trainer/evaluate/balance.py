"""Rows of rare classes, repeated until all classes have equally many. Only what a model is fitted on is balanced."""

from __future__ import annotations

from typing import Any

from imblearn.over_sampling import RandomOverSampler  # type: ignore[import-untyped]


def sampler(seed: int) -> RandomOverSampler:
    """PyCaret gets the same one, so that a rebuilt model sees the same rows as PyCaret's own."""
    return RandomOverSampler(random_state=seed % (1 << 32))


def balanced(rows: Any, labels: Any, seed: int) -> tuple[Any, Any]:
    found: tuple[Any, Any] = sampler(seed).fit_resample(rows, labels)
    return found
