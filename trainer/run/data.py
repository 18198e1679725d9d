"""Divides a request's rows into training rows and hold-out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.bootstrap import Resamples
from registry.evaluation.scores import positive_of
from trainer.compare.judge import Bench
from trainer.evaluate import threshold
from trainer.evaluate.holdout import EMBARGO
from trainer.evaluate.parts import Parts
from trainer.evaluate.split import QUESTIONS
from trainer.run import request as requests
from trainer.run.request import Arrays, Request

MAX_STAND_IN = 5_000  # training rows that replace a missing hold-out, when answers are only compared


@dataclass(frozen=True, slots=True)
class Data:
    """A request, and its rows in their parts: places of the rows in `train` and `asked`."""

    request: Request
    arrays: Arrays
    classes: tuple[str, ...]
    codes: NDArray[np.int64]
    train: NDArray[np.int64]
    asked: NDArray[np.int64]  # the rows that final models predict: the hold-out, or some training rows
    has_holdout: bool
    positive: str | None

    @classmethod
    def of(cls, folder: Path) -> Data:
        request, arrays = requests.read(folder)
        classes = tuple(sorted(set(request.labels)))
        places = {label: place for place, label in enumerate(classes)}
        codes = np.array([places[label] for label in request.labels], np.int64)
        train = np.flatnonzero(arrays.tested >= 0)
        held = np.flatnonzero((arrays.tested < 0) & (arrays.tested != EMBARGO))
        asked = held if len(held) else train[np.unique(np.linspace(0, len(train) - 1, MAX_STAND_IN).astype(int))]
        positive = positive_of(codes, classes, request.positive)
        return cls(request, arrays, classes, codes, train, asked, bool(len(held)), positive)

    def parts(self, precision: np.dtype[Any]) -> Parts:
        labels = self.request.labels
        return Parts(
            self.arrays.rows[self.train].astype(precision),
            tuple(labels[i] for i in self.train),
            self.arrays.rows[self.asked],
            tuple(labels[i] for i in self.asked),
            self.classes,
        )

    @property
    def aim(self) -> threshold.Aim:
        return threshold.Aim(self.request.missed, self.request.false_alarm, self.request.recall)

    def bench(self) -> Bench:
        counted, within = self.arrays.counted[self.train], self.arrays.within[self.train]
        return Bench(
            self.codes[self.train],
            self.arrays.tested[self.train],
            counted,
            within,
            self.classes,
            self.positive,
            self.aim,
            Resamples.of(self.arrays.stretches[self.train][counted]) if counted.any() else None,
        )

    @property
    def judged(self) -> NDArray[np.int64]:
        """The rows that models are judged by and that count: of the hold-out, or of all training rows without one."""
        rows = self.asked if self.has_holdout else self.train
        found: NDArray[np.int64] = rows[self.arrays.counted[rows]]
        return found

    @property
    def questions(self) -> dict[str, NDArray[np.bool_]]:
        """Which of the judged rows each question asks."""
        found = {name: self.arrays.tested[self.judged] == mark for mark, name in QUESTIONS.items()}
        return {name: rows for name, rows in found.items() if rows.any()}
