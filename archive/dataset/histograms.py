"""Computes histograms of features by class, and samples of readings to plot two features together. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from archive.dataset.columns import Columns
from archive.dataset.description import Histogram, Pairs
from archive.dataset.figures import quantile

BINS = 24
MAX_CLASSES = 8  # with a histogram of their own, the most frequent
MAX_POINTS = 400
EDGE = 0.001  # share of the values on each side that may be beyond the edges


def histograms_of(columns: Columns, labeled: Columns, classes: Sequence[str]) -> list[Histogram]:
    """Returns the histograms. `labeled` has readings of each class; readings without a label come from `columns`.

    `classes` are ordered, the most frequent first.
    """
    shown = list(classes[:MAX_CLASSES])
    found = []
    for name, column, with_label in zip(columns.features, columns.values, labeled.values, strict=True):
        known = sorted(value for value in column if value == value)
        if not known:
            continue
        low, high = quantile(known, EDGE), quantile(known, 1 - EDGE)
        if low == high:
            low, high = known[0], known[-1]
        if low == high:
            low, high = low - 0.5, high + 0.5
        edges = [low + (high - low) * at / BINS for at in range(BINS + 1)]
        counts = {label: [0] * BINS for label in shown}
        for value, label in zip(with_label, labeled.labels, strict=True):
            if label in counts and value == value:
                counts[label][_bin(value, edges)] += 1
        none = [0] * BINS
        for value, label in zip(column, columns.labels, strict=True):
            if label is None and value == value:
                none[_bin(value, edges)] += 1
        found.append(Histogram(name, edges, counts | ({"": none} if any(none) else {})))
    return found


def _bin(value: float, edges: Sequence[float]) -> int:
    return min(BINS - 1, max(0, bisect_left(edges, value) - 1))


def pairs_of(columns: Columns, labeled: Columns) -> Pairs:
    """Returns a sample of readings of each class; of all readings if there are no classes."""
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(labeled.labels):
        if label is not None:
            rows.setdefault(label, []).append(row)
    of = labeled
    groups = [rows[label] for label in sorted(rows, key=lambda label: (-len(rows[label]), label))[:MAX_CLASSES]]
    if not groups:
        of, groups = columns, [list(range(len(columns)))]
    each = MAX_POINTS // len(groups)
    chosen = [row for group in groups for row in group[:: max(1, -(-len(group) // each))]]
    values = [[_known(column[row]) for column in of.values] for row in chosen]
    return Pairs(list(of.features), [of.labels[row] for row in chosen], values)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
