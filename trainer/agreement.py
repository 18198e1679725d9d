"""Whether the compiled model may serve: it must answer as the pipeline does, and be the faster. Decisions are pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
TOLERANCE = 1e-5  # of a probability
BATCH = 64  # rows of the larger of the two batches that are timed
ROUNDS = 5  # of which the best counts
PROBES = 2_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Pipeline and compiled model on the same rows. Times in microseconds: one row and BATCH rows, summed."""

    rows: int
    labels_that_differ: int
    largest_difference: float | None  # of a probability; None if the model has none
    pipeline_us: float
    onnx_us: float


@dataclass(frozen=True, slots=True)
class Verdict:
    serves: str  # "onnx" or "pipeline"
    reason: str


def decide(comparison: Comparison | None, trouble: str | None) -> Verdict:
    """`trouble` says why there is no compiled model to compare."""
    if comparison is None:
        return Verdict("pipeline", trouble or "it was not compiled")
    if comparison.labels_that_differ:
        return Verdict("pipeline", f"{comparison.labels_that_differ} of {comparison.rows} labels differ")
    if comparison.largest_difference is not None and not comparison.largest_difference <= TOLERANCE:
        return Verdict("pipeline", f"a probability differs by {comparison.largest_difference:.2g}")
    if comparison.onnx_us >= comparison.pipeline_us:
        return Verdict("pipeline", "it agrees, but is not the faster")
    return Verdict("onnx", f"it agrees on all {comparison.rows} rows and is the faster")


def document(comparison: Comparison | None, verdict: Verdict) -> dict[str, Any]:
    return {"served_by": verdict.serves, "reason": verdict.reason, **(asdict(comparison) if comparison else {})}


def compare(
    pipeline: Callable[[Rows], tuple[Sequence[int], Rows | None]],
    onnx: Callable[[Rows], tuple[Sequence[int], Rows | None]],
    rows: Rows,
) -> Comparison:
    """Runs both on every row, then times both."""
    expected_labels, expected = pipeline(rows)
    labels, probabilities = onnx(rows)
    differ = int(np.sum(np.asarray(expected_labels) != np.asarray(labels)))
    largest = None
    if expected is not None and probabilities is not None:
        largest = float(np.abs(expected - probabilities).max())
    return Comparison(len(rows), differ, largest, _time(pipeline, rows), _time(onnx, rows))


def probe_rows(estimator: Any, holdout: Rows, seed: int) -> Rows:
    """Rows beside the thresholds of the estimator's trees, where rounding shows first; else near the hold-out rows.

    Values are representable in single precision: what differs below that is no property of the model.
    """
    draw = np.random.default_rng(seed)
    base = holdout[draw.integers(0, len(holdout), PROBES)].copy()
    base = np.where(np.isnan(base), np.nanmean(holdout, axis=0), base)
    thresholds = _thresholds(estimator, holdout.shape[1])
    if not any(len(values) for values in thresholds):
        spread = np.nanstd(holdout, axis=0)
        near: Rows = (base + draw.normal(0, 0.05, base.shape) * spread).astype(np.float32).astype(np.float64)
        return near
    single = base.astype(np.float32)
    with_any = [feature for feature, values in enumerate(thresholds) if len(values)]
    for i in range(len(single)):
        feature = int(draw.choice(with_any))
        threshold = np.float32(draw.choice(thresholds[feature]))
        single[i, feature] = (
            threshold,
            np.nextafter(threshold, np.float32(np.inf)),
            np.nextafter(threshold, np.float32(-np.inf)),
        )[i % 3]
    probes: Rows = single.astype(np.float64)
    return probes


def _thresholds(estimator: Any, width: int) -> list[NDArray[np.float64]]:
    """The split values of each feature in all trees below `estimator`."""
    trees = [estimator] if hasattr(estimator, "tree_") else list(np.ravel(getattr(estimator, "estimators_", [])))
    found: list[list[float]] = [[] for _ in range(width)]
    for tree in trees:
        inner = getattr(tree, "tree_", None)
        if inner is None:
            continue
        for feature, threshold in zip(inner.feature, inner.threshold, strict=True):
            if feature >= 0:
                found[feature].append(float(threshold))
    return [np.unique(values) for values in found]


def _time(run: Callable[[Rows], object], rows: Rows) -> float:
    one, many = rows[:1], rows[:BATCH]
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run(one)
        run(many)
        best = min(best, time.perf_counter() - started)
    return round(best * 1e6, 1)
