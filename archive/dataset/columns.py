"""The readings of a data set, column by column. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Columns:
    """One row per reading, in order of arrival. NaN is a missing value; times are in ms since 1970 UTC.

    `received` is 0 if it is not known. `names` has each device once; `devices` are places in `names`.
    """

    features: tuple[str, ...]
    values: list[array[float]] = field(default_factory=list)
    measured: array[int] = field(default_factory=lambda: array("q"))
    received: array[int] = field(default_factory=lambda: array("q"))
    devices: array[int] = field(default_factory=lambda: array("l"))
    names: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = self.values or [array("d") for _ in self.features]

    def __len__(self) -> int:
        return len(self.measured)

    def add(self, device: str, measured: int, values: Sequence[float], label: str | None, received: int = 0) -> None:
        place = self._places.get(device)
        if place is None:
            place = self._places[device] = len(self.names)
            self.names.append(device)
        self.devices.append(place)
        self.measured.append(measured)
        self.received.append(received)
        self.labels.append(label)
        for column, value in zip(self.values, values, strict=True):
            column.append(value)

    def by_device(self) -> Iterator[tuple[str, list[int]]]:
        """Yields each device with its rows, in order of arrival."""
        rows: list[list[int]] = [[] for _ in self.names]
        for row, device in enumerate(self.devices):
            rows[device].append(row)
        return zip(self.names, rows, strict=True)
