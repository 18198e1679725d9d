"""What a run is asked for beyond the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from trainer.evaluate.split import Asked
from trainer.evaluate.threshold import Aim
from zelador.settings import TrainingSettings
from zelador.training_queue import RunRequest


@dataclass(frozen=True, slots=True)
class More:
    """Beyond the plain candidates: what is tried, left out, and for how long."""

    exclude: tuple[str, ...] = ()
    tune_s: float | None = None
    budget_s: float | None = None
    blend: bool = False
    stack: bool = False
    balance: bool = False
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """`register`: all of the best are registered, none, or those of some ranks; the others are stored with the run.

    `names` are for the models that are registered, in the order of rank; models beyond them get default names.
    `positive` is one of two classes; None: the rarer.
    """

    run: str
    by: str
    metric: str
    candidates: tuple[str, ...] | None = None
    names: Sequence[str] = ()
    notes: str = ""
    register: bool | tuple[int, ...] = True
    split: Asked = "auto"
    positive: str | None = None
    aim: Aim = field(default_factory=Aim)
    more: More = field(default_factory=More)


def more_of(training: TrainingSettings, request: RunRequest) -> More:
    """What the request says, else what the settings say."""
    return More(
        exclude=tuple(request.get("exclude") or training.exclude or ()),
        tune_s=request.get("tune_s", training.tune_s),
        budget_s=request.get("budget_s", training.budget_s),
        blend=request.get("blend", training.blend),
        stack=request.get("stack", training.stack),
        balance=request.get("balance", training.balance),
        gpu=request.get("gpu", training.gpu),
    )


def register_of(request: RunRequest) -> bool | tuple[int, ...]:
    """Which of the models are registered when the run ends; all, if the request does not say."""
    asked = request.get("register", True)
    return asked if isinstance(asked, bool) else tuple(sorted(asked))
