"""Sums up the readings of a device in equal parts of a period. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec


class Grid(msgspec.Struct, frozen=True):
    """A period (ms since 1970 UTC, without its end) in equal parts of `step` ms; the last one may be shorter."""

    begin: int
    end: int
    step: int

    @classmethod
    def of(cls, begin: int, end: int, buckets: int) -> Grid:
        return cls(begin, end, max(1, -(-(end - begin) // buckets)))

    @property
    def count(self) -> int:
        return -(-(self.end - self.begin) // self.step)

    def place(self, moment: int) -> int | None:
        """The part that contains a moment, or None."""
        return (moment - self.begin) // self.step if self.begin <= moment < self.end else None


class Figures(msgspec.Struct, frozen=True):
    """The finite values of a feature in a part of the period."""

    count: int
    low: float
    high: float
    total: float  # infinite if it is too large for a float

    @property
    def mean(self) -> float:
        """The mean to 12 digits, the same in whatever order the values were added."""
        mean = float(f"{self.total / self.count:.12g}") if math.isfinite(self.total) else self.low / 2 + self.high / 2
        return min(max(mean, self.low), self.high)

    def joined(self, other: Figures) -> Figures:
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Figures(self.count + other.count, low, high, self.total + other.total)


def figures_of(count: int, low: float | None, high: float | None, total: float | None) -> Figures | None:
    """Returns the figures of values; None if there are none."""
    return None if not count or low is None or high is None or total is None else Figures(count, low, high, total)


class Bucket(msgspec.Struct):
    """The readings in a part of the period. `label` is the most frequent label that the device sent with them."""

    first: int  # when the first one was measured
    readings: int
    figures: list[Figures | None]
    label: str | None = None
    labeled: int = 0  # readings with that label

    def join(self, other: Bucket) -> None:
        self.first = min(self.first, other.first)
        self.readings += other.readings
        self.figures = [
            one.joined(two) if one and two else one or two for one, two in zip(self.figures, other.figures, strict=True)
        ]
        if other.label == self.label:
            self.labeled += other.labeled
        elif other.labeled > self.labeled:
            self.label, self.labeled = other.label, other.labeled


class Course:
    """The buckets of a period. Each reading is added once, alone or in a bucket of several, in any order."""

    def __init__(self, grid: Grid, features: Sequence[str]) -> None:
        self.grid = grid
        self.features = tuple(features)
        self._found: dict[int, Bucket] = {}

    def add(self, place: int, bucket: Bucket) -> None:
        known = self._found.get(place)
        if known is None:
            self._found[place] = bucket
        else:
            known.join(bucket)

    def add_reading(self, moment: int, values: Sequence[float | None], label: str | None) -> None:
        place = self.grid.place(moment)
        if place is None:
            return
        figures = [
            None if value is None or not math.isfinite(value) else Figures(1, value, value, value) for value in values
        ]
        self.add(place, Bucket(moment, 1, figures, label, int(label is not None)))

    @property
    def readings(self) -> int:
        return sum(bucket.readings for bucket in self._found.values())

    @property
    def first(self) -> int | None:
        """When the first reading was measured."""
        return min((bucket.first for bucket in self._found.values()), default=None)

    def buckets(self) -> Iterator[tuple[int, Bucket]]:
        """Yields the parts that have readings, in order: when each begins, and its readings."""
        for place in sorted(self._found):
            yield self.grid.begin + place * self.grid.step, self._found[place]
