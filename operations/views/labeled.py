"""What a run would learn from, by a sample: the labeled readings among the newest ones in the buffer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from operations.views.stream import Reading, Recent

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


@dataclass(frozen=True, slots=True)
class LabeledSample:
    readings: int  # that were looked at
    is_all: bool  # there are no older ones in the buffer
    labels: tuple[tuple[str, int], ...]  # readings by label, the most frequent first
    devices: int  # with a labeled reading
    features: tuple[FeatureFacts, ...]

    @property
    def labeled(self) -> int:
        return sum(count for _, count in self.labels)


BINS = 32


def labeled_sample(recent: Recent, features: tuple[str, ...]) -> LabeledSample:
    """Looks at the newest readings. Raises redis.RedisError."""
    found: list[Reading] = []
    before: str | None = None
    while len(found) < MAX_READINGS:
        page, before = recent.readings(PAGE, before, None)
        found += page
        if before is None:
            break
    labeled = [reading for reading in found if reading["label"] is not None]
    counts = Counter(reading["label"] or "" for reading in labeled)
    facts = (_feature(name, found, labeled, [label for label, _ in counts.most_common(2)]) for name in features)
    return LabeledSample(
        len(found),
        before is None,
        tuple(counts.most_common(12)),
        len({reading["device_id"] for reading in labeled}),
        tuple(each for each in facts if each is not None),
    )


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
    return FeatureFacts(name, low, values[len(values) // 2], high, tuple(by_label))
