"""What a replay needs: the history with labels, and the live readings whose labels are held back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled reading of a device. `values` in the units of the settings; `measured_at` ISO 8601 or None (now)."""

    device_id: str
    values: Mapping[str, float]
    label: str
    measured_at: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """`live_rows` are replayed again from their beginning when they are used up."""

    name: str
    about: str  # one line, said at the start; says whether it is real
    features: tuple[str, ...]
    history: Sequence[Sample]
    live_rows: Sequence[Sample]
    units: Mapping[str, str] = field(default_factory=dict)

    def live(self) -> Iterator[Sample]:
        return itertools.cycle(self.live_rows)
