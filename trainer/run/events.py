"""The events that the child reports to its parent: one JSON object per line on standard output."""

from __future__ import annotations

import msgspec

from registry.run_document import Candidate, LeaderboardRow, Reference, Seconds, VerdictFacts
from trainer.run.time_left import Phase


class Result(msgspec.Struct, frozen=True):
    """The result of a run. The files of each candidate are in the run's folder, in a folder named by its rank."""

    leaderboard: list[LeaderboardRow]
    candidates: list[Candidate]
    classes: list[str]
    positive: str | None
    train_rows: int
    verdict: VerdictFacts
    reference: Reference | None
    notes: list[str]  # added to those of the split
    seconds: Seconds


class Ready(msgspec.Struct, frozen=True, tag_field="event", tag="ready"):
    """PyCaret is imported, which took `seconds`."""

    seconds: float


class Progress(msgspec.Struct, frozen=True, tag_field="event", tag="progress"):
    """A step. `share` is how much of `phase` is left; without a phase, the previous one continues."""

    message: str
    phase: Phase | None = None
    share: float = 1.0


class CandidateStarted(msgspec.Struct, frozen=True, tag_field="event", tag="candidate_started"):
    """A candidate starts: `number` of `total`. `left` has the ids of this one and those after it."""

    id: str
    model_type: str
    number: int
    total: int
    left: tuple[str, ...]


class FoldEnded(msgspec.Struct, frozen=True, tag_field="event", tag="fold_ended"):
    """The candidate in progress was tested on `fold` of `folds`."""

    fold: int
    folds: int


class CandidateEnded(msgspec.Struct, frozen=True, tag_field="event", tag="candidate_ended"):
    row: LeaderboardRow
    number: int
    total: int


class Failed(msgspec.Struct, frozen=True, tag_field="event", tag="failed"):
    message: str


class Done(msgspec.Struct, frozen=True, tag_field="event", tag="done"):
    result: Result


Event = Ready | Progress | CandidateStarted | FoldEnded | CandidateEnded | Failed | Done

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Event).decode
