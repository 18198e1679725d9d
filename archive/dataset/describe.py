"""Describes a data set. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from archive.dataset import counted as counts
from archive.dataset import rhythm as rhythms
from archive.dataset import steady
from archive.dataset.columns import Columns
from archive.dataset.counted import Counted, CountedFeature
from archive.dataset.description import Correlation, Description, FeatureFigures
from archive.dataset.figures import autocorrelation, block_rows, correlation, median
from archive.dataset.findings import findings_of
from archive.dataset.histograms import histograms_of, pairs_of
from archive.dataset.rhythm import Rhythm
from archive.dataset.steady import Runs
from zelador.messages import iso
from zelador.ranges import Ranges

MAX_SAMPLE = 20_000  # rows from which figures about pairs of columns are computed
MAX_DEVICES, MAX_DAYS = 200, 400  # listed


def describe(
    columns: Columns,
    ranges: Ranges,
    counted: Counted | None = None,
    rhythm: Rhythm | None = None,
    labeled: Columns | None = None,
    runs: Sequence[Runs] | None = None,
) -> Description:
    """Describes a data set. `columns` are its readings, in order of arrival.

    Of very many, `columns` are a sample, even over devices and time, and `labeled` is a sample of each class;
    `counted`, `rhythm` and `runs` (of each feature) are computed from all.
    """
    by_device = list(columns.by_device())
    counted = counted or counts.of_columns(columns, ranges)
    rhythm = rhythm or rhythms.of_columns(columns, by_device)
    labeled = labeled or columns
    runs = runs or [steady.of_columns(column, columns, by_device) for column in columns.values]
    features = [
        _figures(name, column, facts, by_device)
        for name, column, facts in zip(columns.features, columns.values, counted.features, strict=True)
    ]
    classes = _sorted(counted.classes)
    return Description(
        rows=counted.rows,
        devices=counted.devices,
        begin=None if counted.begin is None else iso(counted.begin),
        end=None if counted.end is None else iso(counted.end),
        classes=classes,
        unlabeled=counted.rows - sum(classes.values()),
        by_device={name: _sorted(each) for name, each in islice(counted.by_device.items(), MAX_DEVICES)},
        by_day={day: _sorted(counted.by_day[day]) for day in sorted(counted.by_day)[-MAX_DAYS:]},
        interval_s=rhythm.interval_s,
        gaps=list(rhythm.gaps),
        gap_count=rhythm.gap_count,
        features=features,
        duplicates=counted.duplicates,
        correlations=_correlations(columns),
        histograms=histograms_of(columns, labeled, list(classes)),
        pairs=pairs_of(columns, labeled),
        looked_at=len(columns),
        findings=findings_of(counted, rhythm, features, columns, labeled, by_device, runs),
    )


def _sorted(classes: Mapping[str, int]) -> dict[str, int]:
    """Returns the classes, the most frequent first."""
    return dict(sorted(classes.items(), key=lambda item: (-item[1], item[0])))


def _figures(
    name: str, column: Sequence[float], facts: CountedFeature, by_device: Sequence[tuple[str, list[int]]]
) -> FeatureFigures:
    known = [value for value in column if value == value]
    if facts.lowest is None or not known:
        return FeatureFigures(name, facts.missing, facts.out_of_range, constant=False)
    each = max(50, MAX_SAMPLE // len(by_device))
    sequences = [[column[row] for row in rows[:each]] for _, rows in by_device[:MAX_DEVICES]]
    lags = [found for values in sequences if (found := autocorrelation(values, 1)) is not None]
    return FeatureFigures(
        name,
        facts.missing,
        facts.out_of_range,
        constant=facts.lowest == facts.highest and len(known) > 1,
        lowest=facts.lowest,
        median=median(known),
        highest=facts.highest,
        mean=facts.mean,
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
