"""Describes a data set. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from archive.dataset.columns import Columns
from archive.dataset.description import Correlation, Description, FeatureFigures, Gap
from archive.dataset.figures import autocorrelation, block_rows, correlation, median, quantile
from archive.dataset.findings import findings_of
from zelador.messages import iso
from zelador.ranges import Ranges

MAX_SAMPLE = 20_000  # rows for what is computed for pairs of columns
MAX_GAPS, MAX_DEVICES, MAX_DAYS = 20, 200, 400  # listed
GAP_INTERVALS = 20  # a pause of so many usual intervals, and of GAP_S at least, is a gap
GAP_S = 60.0


def describe(columns: Columns, ranges: Ranges) -> Description:
    by_device = list(columns.by_device())
    classes = Counter(label for label in columns.labels if label is not None)
    intervals, gaps = _intervals(columns, by_device)
    duplicates = len(columns) - len(set(zip(columns.devices, columns.measured, *columns.values, strict=True)))
    features = [
        _figures(name, column, low, high, by_device)
        for name, column, (low, high) in zip(columns.features, columns.values, ranges.bounds, strict=True)
    ]
    return Description(
        rows=len(columns),
        devices=len(columns.names),
        begin=iso(min(columns.measured)) if columns.measured else None,
        end=iso(max(columns.measured)) if columns.measured else None,
        classes=dict(classes.most_common()),
        unlabeled=len(columns) - classes.total(),
        by_device={name: _classes([columns.labels[row] for row in rows]) for name, rows in by_device[:MAX_DEVICES]},
        by_day=_by_day(columns),
        interval_s=round(median(intervals), 3) if intervals else None,
        gaps=sorted(gaps, key=lambda gap: -gap.seconds)[:MAX_GAPS],
        gap_count=len(gaps),
        features=features,
        duplicates=duplicates,
        correlations=_correlations(columns),
        findings=findings_of(columns, classes, features, duplicates, by_device),
    )


def _classes(labels: Sequence[str | None]) -> dict[str, int]:
    return dict(Counter(label for label in labels if label is not None).most_common())


def _by_day(columns: Columns) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for moment, label in zip(columns.measured, columns.labels, strict=True):
        if label is not None:
            found.setdefault(iso(moment - moment % 86_400_000)[:10], Counter())[label] += 1
    return {day: dict(found[day].most_common()) for day in sorted(found)[-MAX_DAYS:]}


def _intervals(columns: Columns, by_device: Sequence[tuple[str, list[int]]]) -> tuple[list[float], list[Gap]]:
    """The times between two readings of a device in seconds, and the pauses that stand out."""
    intervals: list[float] = []
    gaps: list[Gap] = []
    for name, rows in by_device:
        moments = sorted({columns.measured[row] for row in rows})
        own = [(after - before) / 1000 for before, after in pairwise(moments)]
        if not own:
            continue
        intervals += own
        least = max(GAP_S, GAP_INTERVALS * median(own))
        gaps += [
            Gap(name, iso(moments[place]), iso(moments[place + 1]), seconds)
            for place, seconds in enumerate(own)
            if seconds >= least
        ]
    return intervals, gaps


def _figures(
    name: str, column: Sequence[float], low: float, high: float, by_device: Sequence[tuple[str, list[int]]]
) -> FeatureFigures:
    known = sorted(value for value in column if value == value)
    missing = len(column) - len(known)
    if not known:
        return FeatureFigures(name, missing, 0, constant=False)
    outside = sum(not low <= value <= high for value in known)
    each = max(50, MAX_SAMPLE // len(by_device))
    sequences = [[column[row] for row in rows[:each]] for _, rows in by_device[:MAX_DEVICES]]
    lags = [found for values in sequences if (found := autocorrelation(values, 1)) is not None]
    return FeatureFigures(
        name,
        missing,
        outside,
        constant=known[0] == known[-1] and len(known) > 1,
        lowest=known[0],
        median=quantile(known, 0.5),
        highest=known[-1],
        mean=math.fsum(known) / len(known),
        autocorrelation=round(sum(lags) / len(lags), 4) if lags else None,
        block_rows=block_rows(sequences),
    )


def _correlations(columns: Columns) -> list[Correlation]:
    step = max(1, len(columns) // MAX_SAMPLE)
    sampled = [column[::step] for column in columns.values]
    found = []
    for at, one in enumerate(columns.features):
        for other in range(at + 1, len(columns.features)):
            r = correlation(sampled[at], sampled[other])
            if r is not None:
                found.append(Correlation(one, columns.features[other], round(r, 4)))
    return sorted(found, key=lambda each: -abs(each.r))
