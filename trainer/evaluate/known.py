"""The rows as the evaluation takes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.evaluate.order import Order

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of each row. `labels` are places in `classes`, `devices` places in `names`.

    `order` says whether the order of the rows stands for the time (then `times` are their places), where none is known.
    """

    values: NDArray[np.float64]
    labels: Codes
    classes: tuple[str, ...]
    devices: Codes | None
    names: tuple[str, ...]
    times: Codes | None
    features: tuple[str, ...] = ()  # their names; for the notes
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
