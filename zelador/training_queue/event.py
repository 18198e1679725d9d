"""The events of a training run, as they are sent to clients and stored with the run."""

from __future__ import annotations

from typing import Literal

import msgspec

from zelador.training_queue.run import RunState

MAX_EVENTS = 400  # of a run
MAX_TEXT = 600  # characters of a message
LEFT_OUT = ("it was not compared: ", "it was not finished: ")  # begins the trouble of a candidate that did not fail

Kind = Literal[
    "started", "loaded", "split", "step", "candidate_started", "fold_ended", "candidate_ended", "candidate_failed",
    "ended",
]  # fmt: skip


class Standing(msgspec.Struct, frozen=True):
    """A candidate and how it did. `score` and `interval` are by the run's metric, over all folds.

    Both are None while it is being compared, and if it failed or was not finished; `trouble` says why.
    """

    id: str
    model_type: str
    score: float | None
    interval: tuple[float, float] | None
    seconds: float | None
    trouble: str | None

    @property
    def is_left_out(self) -> bool:
        """True if it was not compared, or not to the end, because the run finished early or its time was up."""
        return self.trouble is not None and self.trouble.startswith(LEFT_OUT)


class Waiting(msgspec.Struct, frozen=True):
    """A candidate that is not compared yet."""

    id: str
    model_type: str


class RunEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """`number` counts from 1. `done` of `total` candidates have ended.

    `time_left_s` is an estimate; None while there is no basis for one. `leaderboard` has the candidates that have
    ended, the best first; only events of a candidate that ended have it. `fold` of `folds`: on
    which the candidate in progress was tested. `waiting` are the candidates that come after one that starts, in order.
    `state` and `error`: of a run that ended.
    """

    number: int
    at: str  # ISO 8601, UTC
    kind: Kind
    message: str
    done: int | None = None
    total: int | None = None
    candidate: Standing | None = None
    leaderboard: tuple[Standing, ...] = ()
    time_left_s: float | None = None
    state: RunState | None = None
    error: str | None = None
    fold: int | None = None
    folds: int | None = None
    waiting: tuple[Waiting, ...] = ()


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(RunEvent).decode
decode_all = msgspec.json.Decoder(list[RunEvent]).decode
