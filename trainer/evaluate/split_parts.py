"""A split: which rows train, which rows test in which fold, and which rows the hold-out has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.evaluate.holdout import EMBARGO, LATER, NEW_DEVICE

Asked = Literal["auto", "device", "time", "random"]
Kind = Literal["device", "time", "device_and_time", "random"]
FoldsBy = Literal["device", "block", "row"]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
QUESTIONS = {NEW_DEVICE: "new_device", LATER: "later"}


@dataclass(frozen=True, slots=True)
class Split:
    """A split. `tested` says where each row is tested: the number of a fold, or a mark below 0 (see holdout.py).

    `units` numbers the stretches that are independent of each other: the bootstrap draws rows with the same number
    together. `alone` has each class that is on one device or in one recording only, and where. It cannot be evaluated
    elsewhere, so its rows do not count.
    """

    kind: Kind
    asked: Asked
    folds_by: FoldsBy
    folds: int
    tested: Codes
    blocks: Codes
    units: Codes
    alone: dict[str, str]
    counted: Mask  # rows of classes that can be evaluated
    within: Mask  # rows of the devices or recordings that have a class of their own
    notes: tuple[str, ...] = ()
    unsure: str | None = None  # why the scores say nothing about other rows, however many rows there are

    @property
    def training(self) -> Mask:
        found: Mask = self.tested >= 0
        return found

    @property
    def holdout(self) -> Mask:
        """The rows that no candidate, calibration or threshold sees."""
        found: Mask = (self.tested < 0) & (self.tested != EMBARGO)
        return found

    @property
    def questions(self) -> dict[str, Mask]:
        """The rows of the hold-out by the question that they answer: on a new device, or later."""
        found = {name: self.tested == mark for mark, name in QUESTIONS.items()}
        return {name: rows for name, rows in found.items() if rows.any()}

    def spread(self, of: Mask, note: str) -> Split:
        """Returns the same split for more rows: it splits those in `of`; the others are in no part."""
        tested = np.full(len(of), EMBARGO, np.int64)
        of_block, units = np.zeros(len(of), np.int64), np.zeros(len(of), np.int64)
        counted, within = np.zeros(len(of), bool), np.zeros(len(of), bool)
        tested[of], of_block[of], units[of] = self.tested, self.blocks, self.units
        counted[of], within[of] = self.counted, self.within
        return replace(
            self, tested=tested, blocks=of_block, units=units, counted=counted, within=within,
            notes=(*self.notes, note),
        )  # fmt: skip

    def stretches(self, rows: Mask) -> int | None:
        """Counts the independent stretches among `rows` that count; None if rows were drawn at random."""
        return None if self.folds_by == "row" else len(np.unique(self.units[rows & self.counted]))
