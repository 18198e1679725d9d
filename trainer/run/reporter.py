"""What the work reports while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from registry.run_document import LeaderboardRow
from trainer.run.events import CandidateEnded, CandidateStarted, Event, Progress
from trainer.run.time_left import Phase


class Reporter:
    """Called with a message, it reports a step; `share` of `phase` is left then."""

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send

    def __call__(self, message: str, phase: Phase | None = None, share: float = 1.0) -> None:
        self._send(Progress(message, phase, share))

    def started(self, name: str, model_type: str, number: int, total: int, left: Sequence[str]) -> None:
        """`left` are the candidates from this one on."""
        self._send(CandidateStarted(name, model_type, number, total, tuple(left)))

    def ended(self, row: LeaderboardRow, number: int, total: int) -> None:
        self._send(CandidateEnded(row, number, total))
