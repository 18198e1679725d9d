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
from trainer.evaluate.split_parts import QUESTIONS
from trainer.evaluate.split_rows import Parts
from trainer.run import request as requests
from trainer.run.request import Arrays, Request

DAY_MS = 86_400_000
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
        kept, runs = self.train[counted], self.runs
        return Bench(
            self.codes[self.train],
            self.arrays.tested[self.train],
            counted,
            within,
            self.classes,
            self.positive,
            self.aim,
            Resamples.of(self.arrays.stretches[kept], runs=None if runs is None else runs[kept]) if len(kept) else None,
            tuple(Resamples.of(of[kept]) for of in (self.days, self.arrays.devices) if of is not None and len(kept)),
            self.request.unsure,
        )

    def holdout_resamples(self) -> Resamples:
        """Returns bootstrap samples of the judged rows; of a single block, without an interval, if `unsure` is set."""
        rows = self.arrays.stretches[self.judged]
        return Resamples.of(rows if self.request.unsure is None else np.zeros_like(rows))

    def question_resamples(self) -> dict[str, Resamples]:
        """Returns bootstrap samples of the rows of each question, as `holdout_resamples` of all."""
        rows = self.arrays.stretches[self.judged]
        known = rows if self.request.unsure is None else np.zeros_like(rows)
        return {name: Resamples.of(known[asked]) for name, asked in self.questions.items()}

    @property
    def runs(self) -> NDArray[np.int64] | None:
        """The number of each row's uninterrupted run of one class; None without times."""
        arrays = self.arrays
        if arrays.times is None:
            return None
        devices = np.zeros(len(arrays.times), np.int64) if arrays.devices is None else arrays.devices
        order = np.lexsort((arrays.times, devices))
        begins = (np.diff(self.codes[order], prepend=-1) != 0) | (np.diff(devices[order], prepend=-1) != 0)
        found = np.empty(len(order), np.int64)
        found[order] = np.cumsum(begins)
        return found

    @property
    def days(self) -> NDArray[np.int64] | None:
        """The day (UTC) of each row; None without times, or if times only count rows."""
        is_calendar = self.request.metadata["data"]["from"] is not None
        return None if self.arrays.times is None or not is_calendar else self.arrays.times // DAY_MS

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
