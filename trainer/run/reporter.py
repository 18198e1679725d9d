"""Reports the progress of the work to the parent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from registry.run_document import LeaderboardRow
from trainer.run.events import CandidateEnded, CandidateStarted, Event, FoldEnded, Progress
from trainer.run.time_left import Phase

MAX_REPORTED = 10  # folds of a candidate: its events share the bound of a run's events


class Reporter:
    """Reports progress. A call reports a step; `share` is how much of `phase` is left."""

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send

    def __call__(self, message: str, phase: Phase | None = None, share: float = 1.0) -> None:
        self._send(Progress(message, phase, share))

    def started(self, name: str, model_type: str, number: int, total: int, left: Sequence[str]) -> None:
        """Reports that a candidate starts. `left` has the ids of this one and those after it."""
        self._send(CandidateStarted(name, model_type, number, total, tuple(left)))

    def folded(self, fold: int, folds: int) -> None:
        """Reports that the candidate in progress was tested on a fold; of many folds, only some are reported."""
        if fold < folds and fold * MAX_REPORTED // folds > (fold - 1) * MAX_REPORTED // folds:
            self._send(FoldEnded(fold, folds))

    def ended(self, row: LeaderboardRow, number: int, total: int) -> None:
        self._send(CandidateEnded(row, number, total))
