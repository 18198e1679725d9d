"""A training run as the queue stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

import msgspec

RunState = Literal["queued", "running", "done", "failed", "cancelled"]
ACTIVE: tuple[RunState, ...] = ("queued", "running")


class RunRequest(TypedDict, total=False):
    """The request for a run; the settings decide the keys that are absent."""

    metric: str
    names: list[str]  # for the models that are registered, in the order of rank
    notes: str
    candidates: list[str]  # PyCaret's ids
    classes: list[str]  # only labeled readings of these
    devices: list[str]
    dataset: dict[str, object]  # the query of a data set, as archive.dataset.query reads it
    register: bool | list[int]  # all models, none, or those of some ranks
    split: str  # auto, device, time or random
    positive: str  # of two classes
    cost_missed: float
    cost_false_alarm: float
    recall: float
    exclude: list[str]  # PyCaret's ids
    tune_s: float
    budget_s: float
    blend: bool
    stack: bool
    balance: bool
    gpu: bool


class Run(msgspec.Struct, frozen=True):
    """A run's record. Times are ISO 8601, UTC; `result` holds parts of the run's document in the registry."""

    id: str
    state: RunState
    request: RunRequest
    by: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    progress: str | None = None
    error: str | None = None
    result: dict[str, object] | None = None

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE


@dataclass(frozen=True, slots=True)
class Job:
    """A run that was delivered to a trainer; `entry` is its id in the stream of jobs."""

    entry: str
    run: Run
