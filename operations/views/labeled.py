"""A preview of what a run would learn from: the labeled readings among the newest ones in the buffer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from archive.dataset.columns import Columns
from archive.dataset.describe import describe
from archive.dataset.description import Finding
from operations.views.stream import Reading, Recent
from zelador.ranges import Ranges

PAGE = 500
MAX_READINGS = 5_000


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """The values of a feature in the sample."""

    name: str
    lowest: float
    median: float
    highest: float
    by_label: tuple[tuple[str, tuple[int, ...]], ...]  # counts in BINS bins, by label
    missing: int  # readings without it


@dataclass(frozen=True, slots=True)
class LabeledSample:
    readings: int  # in the sample
    is_all: bool  # there are no older ones in the buffer
    labels: tuple[tuple[str, int], ...]  # readings by label, the most frequent first
    devices: int  # with a labeled reading
    features: tuple[FeatureFacts, ...]
    begin: str | None  # of the labeled readings, ISO 8601
    end: str | None
    findings: tuple[Finding, ...]  # what is odd about the sample

    @property
    def labeled(self) -> int:
        return sum(count for _, count in self.labels)


BINS = 32


def labeled_sample(recent: Recent, ranges: Ranges) -> LabeledSample:
    """A sample of the newest readings. Raises redis.RedisError."""
    found: list[Reading] = []
    before: str | None = None
    while len(found) < MAX_READINGS:
        page, before = recent.readings(PAGE, before, None)
        found += page
        if before is None:
            break
    labeled = [reading for reading in found if reading["label"] is not None]
    counts = Counter(reading["label"] or "" for reading in labeled)
    names = [label for label, _ in counts.most_common(2)]
    facts = (_feature(name, found, labeled, names) for name in ranges.features)
    times = [reading["measured_at"] for reading in labeled]
    return LabeledSample(
        len(found),
        before is None,
        tuple(counts.most_common(12)),
        len({reading["device_id"] for reading in labeled}),
        tuple(each for each in facts if each is not None),
        min(times, default=None),
        max(times, default=None),
        tuple(describe(_columns(found, ranges.features), ranges).findings) if found else (),
    )


def _columns(readings: Sequence[Reading], features: tuple[str, ...]) -> Columns:
    """The readings as columns, oldest first; `readings` are newest first."""
    columns = Columns(features)
    for each in reversed(readings):
        values = [each["values"].get(name, math.nan) for name in features]
        columns.add(each["device_id"], _ms(each["measured_at"]), values, each["label"], _ms(each["received_at"]))
    return columns


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _feature(name: str, found: list[Reading], labeled: list[Reading], labels: list[str]) -> FeatureFacts | None:
    values = sorted(reading["values"][name] for reading in found if name in reading["values"])
    if not values:
        return None
    low, high = values[0], values[-1]
    width = (high - low) or 1.0
    by_label = []
    for label in labels or [""]:  # without any label, all readings are one class
        bins = [0] * BINS
        for reading in labeled if labels else found:
            if (reading["label"] or "") == label and name in reading["values"]:
                bins[min(BINS - 1, int((reading["values"][name] - low) / width * BINS))] += 1
        by_label.append((label, tuple(bins)))
    return FeatureFacts(name, low, values[len(values) // 2], high, tuple(by_label), len(found) - len(values))
