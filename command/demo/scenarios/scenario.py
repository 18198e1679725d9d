"""The data of a replay: labeled history, and live readings whose labels are not published."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of a device. `values` are in the units of the settings.

    `label` is "" if it has none; `measured_at` is ISO 8601, or None for now.
    """

    device_id: str
    values: Mapping[str, float]
    label: str
    measured_at: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A set of readings to replay. After the last of `live_rows`, the replay starts over with the first."""

    name: str
    about: str  # one line, shown at startup; says whether the data is real
    features: tuple[str, ...]
    history: Sequence[Sample]
    live_rows: Sequence[Sample]
    units: Mapping[str, str] = field(default_factory=dict)

    def live(self) -> Iterator[Sample]:
        return itertools.cycle(self.live_rows)
