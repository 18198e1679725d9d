"""Decides whether the compiled form of a model serves. It must give the same answers as its pipeline, and be faster."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.model.manifest import ServedBy
from registry.run_document import Agreement
from trainer.candidate.boosters import split_values

Rows = NDArray[np.float64]
TOLERANCE = 1e-5  # largest difference of a probability
BATCH = 64  # rows of the larger of the two batches that are timed
ROUNDS = 5  # timings of each; the fastest counts
PROBES = 2_000  # rows
PART = 256  # rows of one question, where all are compared


@dataclass(frozen=True, slots=True)
class Comparison:
    """Pipeline and compiled model on the same rows. Times are in microseconds, for one row and BATCH rows together."""

    rows: int
    labels_that_differ: int
    largest_difference: float | None  # of a probability; None without any, infinite if only one has them
    pipeline_us: float
    onnx_us: float


@dataclass(frozen=True, slots=True)
class Verdict:
    serves: ServedBy
    reason: str


def decide(comparison: Comparison | None, trouble: str | None, only_compiled: bool = False) -> Verdict:
    """Returns which form serves, and why. `trouble` says why there is no comparison, if so.

    With `only_compiled`, the compiled form need not be faster, because the pipeline cannot be saved.
    """
    if comparison is None:
        return Verdict("pipeline", trouble or "it was not compiled")
    if count := comparison.labels_that_differ:
        return Verdict("pipeline", f"{count} of {comparison.rows} labels {'differs' if count == 1 else 'differ'}")
    if comparison.largest_difference == math.inf:
        return Verdict("pipeline", "its probabilities do not match the pipeline's")
    if comparison.largest_difference is not None and not comparison.largest_difference <= TOLERANCE:
        return Verdict("pipeline", f"a probability differs by {comparison.largest_difference:.2g}")
    if only_compiled:
        return Verdict("onnx", f"it agrees on all {comparison.rows} rows, and only this form can be saved")
    if comparison.onnx_us >= comparison.pipeline_us:
        return Verdict("pipeline", "it agrees, but is not faster")
    return Verdict("onnx", f"it agrees on all {comparison.rows} rows and is faster")


def document(comparison: Comparison | None, verdict: Verdict) -> Agreement:
    """Returns the agreement for the run's JSON, which cannot hold an infinite difference."""
    if comparison is None:
        return Agreement(served_by=verdict.serves, reason=verdict.reason)
    largest = comparison.largest_difference
    return Agreement(
        served_by=verdict.serves,
        reason=verdict.reason,
        rows=comparison.rows,
        labels_that_differ=comparison.labels_that_differ,
        largest_difference=None if largest == math.inf else largest,
        pipeline_us=comparison.pipeline_us,
        onnx_us=comparison.onnx_us,
    )


def compare(
    pipeline: Callable[[Rows], tuple[Sequence[int], Rows | None]],
    onnx: Callable[[Rows], tuple[Sequence[int], Rows | None]],
    rows: Rows,
) -> Comparison:
    """Compares the answers of both on every row, then times both."""
    expected_labels, expected = in_parts(pipeline, rows)
    labels, probabilities = in_parts(onnx, rows)
    differ = int(np.sum(np.asarray(expected_labels) != np.asarray(labels)))
    largest = _largest_difference(expected, probabilities)
    return Comparison(len(rows), differ, largest, time_of(pipeline, rows), time_of(onnx, rows))


def in_parts(
    answer: Callable[[Rows], tuple[Sequence[int], Rows | None]], rows: Rows
) -> tuple[Sequence[int], Rows | None]:
    """Returns the answers to all rows, asked in parts: a compiled model of nearest neighbors holds the distances of all
    rows of a question to all rows that it learned from.
    """
    parts = [answer(rows[at : at + PART]) for at in range(0, len(rows), PART)]
    found = [probabilities for _, probabilities in parts if probabilities is not None]
    return [label for labels, _ in parts for label in labels], np.vstack(found) if len(found) == len(parts) else None


def _largest_difference(expected: Rows | None, found: Rows | None) -> float | None:
    """Returns the largest difference of a probability.

    Infinite if the shapes differ or a value is not a number; None if neither has probabilities.
    """
    if expected is None and found is None:
        return None
    if expected is None or found is None or expected.shape != found.shape:
        return math.inf
    largest = float(np.abs(expected - found).max())
    return math.inf if math.isnan(largest) else largest


def probe_rows(estimator: Any, holdout: Rows, seed: int, observed: Rows | None = None) -> Rows:
    """Returns PROBES rows drawn from the hold-out, each with one feature moved next to a split value of a tree.

    Differences in rounding show there first. For an estimator without trees, the rows are near those of the hold-out.
    If `observed` (all known rows) is given, features are also moved to the observed values next to a split value.
    """
    kinds = 3 if observed is None else 5  # of `_near_threshold`
    observed = holdout if observed is None else observed
    draw = np.random.default_rng(seed)
    probes = holdout[draw.integers(0, len(holdout), PROBES)].copy()
    probes = np.where(np.isnan(probes), np.nanmean(observed, axis=0), probes)
    found = thresholds(estimator, holdout.shape[1])
    split = [feature for feature, values in enumerate(found) if len(values)]
    if not split:
        near = probes + draw.normal(0, 0.05, probes.shape) * np.nanstd(observed, axis=0)
        return _single_precision(near)
    known = [np.unique(column[~np.isnan(column)]) for column in observed.T]
    for i in range(PROBES):
        feature = int(draw.choice(split))
        threshold = float(draw.choice(found[feature]))
        probes[i, feature] = _near_threshold(threshold, known[feature], i % kinds)
    return probes


def thresholds(estimator: Any, width: int) -> list[NDArray[np.float64]]:
    """Returns the sorted split values of each feature, over all trees of `estimator`; empty if it has no trees."""
    found: list[list[float]] = [[] for _ in range(width)]
    for feature, threshold in _split_values(estimator):
        found[feature].append(threshold)
    return [np.unique(values) for values in found]


def _near_threshold(threshold: float, known: NDArray[np.float64], kind: int) -> float:
    """Returns a value next to a split value, or the split value itself.

    Kinds 0 to 2: the split value in single precision, the next value above it, the next value below it.
    Kinds 3 and 4: the nearest observed values below and above it.
    """
    single = np.float32(threshold)
    match kind:
        case 0:
            return float(single)
        case 1:
            return float(np.nextafter(single, np.float32(np.inf)))
        case 2:
            return float(np.nextafter(single, np.float32(-np.inf)))
        case 3:
            return float(known[max(0, int(np.searchsorted(known, threshold, "right")) - 1)])
        case _:
            return float(known[min(len(known) - 1, int(np.searchsorted(known, threshold, "right")))])


def _split_values(estimator: Any) -> Iterator[tuple[int, float]]:
    if (boosted := split_values(estimator)) is not None:
        yield from boosted
        return
    if hasattr(estimator, "booster_"):  # LightGBM compares in double precision, its compiled form in single
        for tree in estimator.booster_.dump_model()["tree_info"]:
            yield from _lightgbm_splits(tree["tree_structure"])
        return
    if (tree := getattr(estimator, "tree_", None)) is not None:
        inside = tree.feature >= 0
        yield from zip(tree.feature[inside].tolist(), tree.threshold[inside].tolist(), strict=True)
        return
    members = getattr(estimator, "estimators_", [])
    for member in members.ravel() if isinstance(members, np.ndarray) else members:
        yield from _split_values(member)


def _lightgbm_splits(node: dict[str, Any]) -> Iterator[tuple[int, float]]:
    if "split_feature" in node:
        yield int(node["split_feature"]), float(node["threshold"])
        yield from _lightgbm_splits(node["left_child"])
        yield from _lightgbm_splits(node["right_child"])


def _single_precision(rows: Rows) -> Rows:
    """Rounds to single precision, because a smaller difference says nothing about the model."""
    return rows.astype(np.float32).astype(np.float64)


def time_of(run: Callable[[Rows], object], rows: Rows) -> float:
    one, many = rows[:1], rows[:BATCH]
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run(one)
        run(many)
        best = min(best, time.perf_counter() - started)
    return round(best * 1e6, 1)
