"""Infers the values that an estimator was fitted on from its learned means, limits, thresholds or points.

Rows near them are asked before a model is registered, and they show whether a scaler belongs to a model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Region = tuple[Values | None, ...]  # for each column: typical values, or None if they are not known

STEPS = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])  # in standard deviations
MAX_POINTS = 2_000
MAX_TREES = 50
APART = 3.0  # standard deviations: columns whose centers differ by more are not the same data


@dataclass(frozen=True, slots=True)
class Spread:
    """The center of a column, and its standard deviation; 0 if it is not known."""

    center: float
    width: float


def region_of(estimator: Any, width: int) -> Region:
    """The typical values of each of the `width` columns that `estimator` takes."""
    with contextlib.suppress(Exception):  # it only helps: a foreign object may raise anything here
        found = _known(estimator, width)
        if found is not None and len(found) == width:
            return tuple(None if values is None or not len(values) else np.unique(values) for values in found)
    return (None,) * width


def draw(region: Region, count: int, seed: int = 0) -> Values:
    """Rows from a region; unknown columns get values of all magnitudes."""
    random = np.random.default_rng(seed)
    columns = []
    for values in region:
        if values is None:
            columns.append(random.normal(size=count) * 10 ** random.uniform(-1, 3, size=count))
        elif len(values) == 1:
            columns.append(values[0] * (1 + random.normal(size=count) / 2))
        else:
            columns.append(random.choice(values, size=count))
    return np.column_stack(columns) if columns else np.empty((count, 0))


def spreads(region: Region) -> list[Spread | None]:
    return [
        None if values is None else Spread(float(np.median(values)), float(values.std()) if len(values) > 2 else 0.0)
        for values in region
    ]


def agree(given: Region, taken: Region) -> bool | None:
    """True if an estimator with the region `taken` was fitted on rows like those of `given`; None if unknown."""
    known = [
        abs(one.center - other.center) <= APART * max(one.width, other.width) + 1e-6
        for one, other in zip(spreads(given), spreads(taken), strict=True)
        if one is not None and other is not None
    ]
    return all(known) if known else None


def region_of_rows(rows: Values) -> Region:
    return tuple(np.unique(column[np.isfinite(column)]) for column in rows.T)


def _known(estimator: Any, width: int) -> Sequence[Values | None] | None:
    if hasattr(estimator, "steps"):
        first = next((step for _, step in estimator.steps if step not in (None, "passthrough")), None)
        return None if first is None else region_of(first, width)
    if hasattr(estimator, "_transformer_to_input_indices"):
        return _by_column(estimator, width)
    for attributes, read in READERS:
        values = [getattr(estimator, name, None) for name in attributes]
        if all(value is not None for value in values):
            found: Sequence[Values | None] = read(*values)
            return found
    return _of_ensemble(estimator, width)


def _by_column(estimator: Any, width: int) -> list[Values | None]:
    """The typical values that the parts of a ColumnTransformer learned, by column."""
    found: list[Values | None] = [None] * width
    for name, part, _ in estimator.transformers_:
        columns = estimator._transformer_to_input_indices.get(name, [])
        if not isinstance(part, str):
            for column, values in zip(columns, region_of(part, len(columns)), strict=True):
                found[column] = values
    return found


def _of_ensemble(estimator: Any, width: int) -> Sequence[Values | None] | None:
    trees = _trees(estimator)
    if trees:
        return _thresholds(trees, width)
    if hasattr(estimator, "calibrated_classifiers_"):
        return region_of(estimator.calibrated_classifiers_[0].estimator, width)
    for part in np.asarray(getattr(estimator, "estimators_", ()), dtype=object).ravel()[:MAX_TREES]:
        found = region_of(part, width)
        if any(values is not None for values in found):
            return found
    return None


def _trees(estimator: Any) -> list[Any]:
    if hasattr(estimator, "tree_"):
        return [estimator.tree_]
    parts = np.asarray(getattr(estimator, "estimators_", ()), dtype=object).ravel()[:MAX_TREES]
    trees = [getattr(part, "tree_", None) for part in parts]
    alike = not hasattr(estimator, "estimators_features_")  # bagging gives each tree columns of its own
    return trees if alike and trees and all(tree is not None for tree in trees) else []


def _thresholds(trees: Sequence[Any], width: int) -> list[Values | None]:
    features = np.concatenate([tree.feature for tree in trees])
    cuts = np.concatenate([tree.threshold for tree in trees])
    return [_between(cuts[features == column]) for column in range(width)]


def _between(cuts: Any) -> Values | None:
    """Values on both sides of each threshold."""
    found = np.unique(np.asarray(cuts, dtype=np.float64))
    if not len(found):
        return None
    room = float(found[-1] - found[0]) / 4 or max(abs(float(found[0])), 1.0) / 10
    ends = np.concatenate([[found[0] - room], found, [found[-1] + room]])
    between: Values = (ends[1:] + ends[:-1]) / 2
    return between


def _normal(center: Any, width: Any) -> list[Values]:
    return [float(one) + float(each) * STEPS for one, each in zip(center, width, strict=True)]


def _limits(low: Any, high: Any) -> list[Values]:
    return [np.linspace(one, other, 7) for one, other in zip(low, high, strict=True)]


def _points(points: Any) -> list[Values]:
    return list(np.asarray(points, dtype=np.float64)[:MAX_POINTS].T)


def _bayes(means: Any, variances: Any) -> list[Values]:
    columns = zip(np.asarray(means).T, np.sqrt(np.asarray(variances)).T, strict=True)
    return [(mean[:, None] + width[:, None] * STEPS).ravel() for mean, width in columns]


def _single(values: Any) -> list[Values | None]:
    """The values of an imputer, of which only the center is known."""
    return [
        np.array([float(value)]) if isinstance(value, int | float) else None for value in np.asarray(values).tolist()
    ]


def _categories(values: Any) -> list[Values | None]:
    numeric = [np.asarray(each) for each in values]
    return [each.astype(np.float64) if each.dtype.kind in "biuf" else None for each in numeric]


def _booster(booster: Any) -> list[Values | None]:
    infos = booster.dump_model(num_iteration=1)["feature_infos"]
    ranges = [infos.get(name) for name in booster.feature_name()]
    return [
        None if not each or "min_value" not in each else np.linspace(each["min_value"], each["max_value"], 7)
        for each in ranges
    ]


# (attributes that an estimator must have, function that gets typical values from them); the first match counts
READERS: tuple[tuple[tuple[str, ...], Callable[..., Sequence[Values | None]]], ...] = (
    (("data_min_", "data_max_"), _limits),
    (("center_", "scale_"), _normal),
    (("mean_", "scale_"), _normal),
    (("max_abs_",), lambda most: _limits(np.zeros(len(most)), most)),
    (("quantiles_",), _points),
    (("categories_",), _categories),
    (("statistics_",), _single),
    (("theta_", "var_"), _bayes),
    (("support_vectors_",), _points),
    (("_fit_X",), _points),
    (("centroids_",), _points),
    (("means_",), _points),
    (("bin_edges_",), lambda edges: [np.asarray(each, dtype=np.float64) for each in edges]),
    (("_bin_mapper",), lambda mapper: [_between(each) for each in mapper.bin_thresholds_]),
    (("_Booster",), _booster),
)
