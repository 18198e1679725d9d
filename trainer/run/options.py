"""The options of a run, beyond the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from trainer.evaluate.threshold import Aim
from zelador.settings import TrainingSettings
from zelador.training_queue import RunRequest

if TYPE_CHECKING:  # it loads scikit-learn
    from trainer.evaluate.split_parts import Asked


@dataclass(frozen=True, slots=True)
class More:
    """Which candidates to add to the plain ones and which to leave out, and how long to try."""

    exclude: tuple[str, ...] = ()
    tune_s: float | None = None
    budget_s: float | None = None
    blend: bool = False
    stack: bool = False
    balance: bool = False
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """The options. `register` says which of the best models are registered: all, none, or some ranks.

    Models that are not registered are stored with the run. `names` are for the registered models, by rank; models
    beyond them get default names. `positive` is one of two classes; None for the rarer one.
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


def options_of(training: TrainingSettings, request: RunRequest, run: str, by: str) -> Options:
    """Returns the options of a run: the values of the request; for those it lacks, the values of the settings."""
    candidates = request.get("candidates") or training.candidates
    return Options(
        run=run,
        by=by,
        metric=request.get("metric") or training.metric,
        candidates=tuple(candidates) if candidates else None,
        names=tuple(request.get("names") or ()),
        notes=request.get("notes") or "",
        register=register_of(request),
        split=cast("Asked", request.get("split") or training.split),
        positive=request.get("positive") or training.positive,
        aim=aim_of(training, request),
        more=more_of(training, request),
    )


def as_request(options: Options) -> RunRequest:
    """Returns the request that gives these options, without its readings, and without costs that are equal to 1."""
    aim, more = options.aim, options.more
    found = RunRequest(metric=options.metric, split=options.split)
    found["register"] = options.register if isinstance(options.register, bool) else list(options.register)
    if options.candidates is not None:
        found["candidates"] = list(options.candidates)
    if options.positive is not None:
        found["positive"] = options.positive
    if aim.recall is not None:
        found["recall"] = aim.recall
    if (aim.missed, aim.false_alarm) != (1.0, 1.0):
        found["cost_missed"], found["cost_false_alarm"] = aim.missed, aim.false_alarm
    if more.exclude:
        found["exclude"] = list(more.exclude)
    if more.tune_s is not None:
        found["tune_s"] = more.tune_s
    if more.budget_s is not None:
        found["budget_s"] = more.budget_s
    for name in ("blend", "stack", "balance", "gpu"):
        if getattr(more, name):
            found[name] = True
    return found


def more_of(training: TrainingSettings, request: RunRequest) -> More:
    """Returns the values of the request; for those it lacks, the values of the settings."""
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
    """Returns which of the models are registered when the run ends; all, if the request does not say."""
    asked = request.get("register", True)
    return asked if isinstance(asked, bool) else tuple(sorted(asked))


def aim_of(training: TrainingSettings, request: RunRequest) -> Aim:
    """Returns what the threshold is chosen by: the request's recall or costs, else those of the settings."""
    if "recall" in request:
        return Aim(request.get("cost_missed", 1.0), request.get("cost_false_alarm", 1.0), request["recall"])
    if "cost_missed" in request or "cost_false_alarm" in request:
        return Aim(request.get("cost_missed", 1.0), request.get("cost_false_alarm", 1.0))
    return Aim(training.cost_missed, training.cost_false_alarm, training.recall)
