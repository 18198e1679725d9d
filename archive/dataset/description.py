"""The description of a data set: figures and findings, to read before training on it."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "no labels", "one class", "small class", "label case", "constant", "leak", "device label", "sentinel", "clock",
    "stuck", "unit change", "missing", "out of range", "duplicates",
]  # fmt: skip


class Finding(msgspec.Struct, frozen=True):
    """Something to know before training. `feature` and `device` are set if it concerns only one."""

    kind: Kind
    sentence: str
    advice: str
    feature: str | None = None
    device: str | None = None


class FeatureFigures(msgspec.Struct, frozen=True):
    """Figures about a feature. `block_rows` is the number of neighboring readings of a device that are nearly equal."""

    name: str
    missing: int
    out_of_range: int
    constant: bool
    lowest: float | None = None
    median: float | None = None
    highest: float | None = None
    mean: float | None = None
    autocorrelation: float | None = None
    block_rows: int = 1


class Gap(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to"}):
    device: str
    begin: str
    end: str
    seconds: float


class Correlation(msgspec.Struct, frozen=True):
    one: str
    other: str
    r: float


class Histogram(msgspec.Struct, frozen=True):
    """Counts of a feature's values in equal bins between the ends of `edges`, by class; "" for unlabeled readings.

    Values beyond the edges are counted in the first and the last bin.
    """

    feature: str
    edges: list[float]
    counts: dict[str, list[int]]


class Pairs(msgspec.Struct, frozen=True):
    """A sample of readings, even by class, to plot two features together. A missing value is None."""

    features: list[str]
    labels: list[str | None]
    values: list[list[float | None]]


class Description(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to"}):
    """The description. Times are ISO 8601, UTC. `classes` counts readings by label.

    `interval_s` is the median time between two readings of a device. Medians, correlations, gaps and findings about the
    course of a device are computed from `looked_at` readings, even over devices and time; all else from all readings.
    """

    rows: int
    devices: int
    begin: str | None
    end: str | None
    classes: dict[str, int]
    unlabeled: int
    by_device: dict[str, dict[str, int]]
    by_day: dict[str, dict[str, int]]
    interval_s: float | None
    gaps: list[Gap]
    gap_count: int
    features: list[FeatureFigures]
    duplicates: int
    correlations: list[Correlation]
    histograms: list[Histogram]
    pairs: Pairs
    looked_at: int
    findings: list[Finding]
