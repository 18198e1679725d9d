"""Repeats rows of rare classes until all classes have equally many. Only rows for fitting a model are balanced."""

from __future__ import annotations

from typing import Any


def sampler(seed: int) -> Any:
    """Returns a RandomOverSampler. PyCaret gets an equal one, so a rebuilt model sees the same rows as PyCaret's."""
    from imblearn.over_sampling import RandomOverSampler  # type: ignore[import-untyped]  # half a second

    return RandomOverSampler(random_state=seed % (1 << 32))


def balanced(rows: Any, labels: Any, seed: int) -> tuple[Any, Any]:
    found: tuple[Any, Any] = sampler(seed).fit_resample(rows, labels)
    return found
