"""The rows that are evaluated, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.evaluate.order import Order

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about each row. `labels` are places in `classes`, `devices` are places in `names`.

    `order` says whether the order of the rows stands for an unknown time; then `times` are the places of the rows.
    """

    values: NDArray[np.float64]
    labels: Codes
    classes: tuple[str, ...]
    devices: Codes | None
    names: tuple[str, ...]
    times: Codes | None
    features: tuple[str, ...] = ()  # names of the columns of `values`, for the notes
    order: Order = "none"

    @property
    def count(self) -> int:
        return len(self.labels)

    def at(self, rows: Mask) -> Known:
        return replace(
            self,
            values=self.values[rows],
            labels=self.labels[rows],
            devices=None if self.devices is None else self.devices[rows],
            times=None if self.times is None else self.times[rows],
        )
