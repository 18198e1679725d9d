"""The page that starts a run, after showing whether there is anything to learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Form, Response
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.classify.page import number_of
from admin.console.console import Console, Shown
from admin.console.language import Language
from admin.console.overview.live import FeatureShown, features_of
from admin.console.page import go, pages, renderer, show, signed_in
from admin.console.runs.page import Runs, runs_of
from admin.console.visitor import Visiting, Visitor
from operations.acts import runs as acts
from operations.views.labeled import LabeledSample, labeled_sample
from operations.views.plant import PlantView
from operations.views.runs import RunView
from zelador.errors import InvalidInput
from zelador.messages import MAX_LABEL
from zelador.ranges import Ranges
from zelador.settings import Metric, SplitKind
from zelador.training_queue import RunRequest

router = pages("training")

SAMPLE_S = 300.0
RUNS = 8
MAX_COST = 1e12
Amount = Annotated[str, Form(max_length=40)]
METRICS: tuple[Metric, ...] = ("F1", "MCC", "Recall", "Precision", "AUC", "Kappa", "Accuracy")
# PyCaret's ids of the classifiers, and their names.
CANDIDATES = {
    "lr": "Logistic Regression", "knn": "K Neighbors", "nb": "Naive Bayes", "dt": "Decision Tree",
    "svm": "SVM, linear", "ridge": "Ridge", "rf": "Random Forest", "qda": "Quadratic Discriminant",
    "ada": "AdaBoost", "gbc": "Gradient Boosting", "lda": "Linear Discriminant", "et": "Extra Trees",
    "lightgbm": "LightGBM",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Training:
    sample: LabeledSample
    features: dict[str, FeatureShown]
    given: RunRequest  # with which the form is filled
    metric: str
    metrics: tuple[Metric, ...]
    split: str
    candidates: dict[str, str]
    current: RunView | None  # the active run, while there is one
    runs: Runs
    now: PlantView
    may_start: bool


@router.get("", **needs("viewer"))
def show_training(console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, RunRequest())


@router.get("/like/{run}", **needs("viewer"))
def show_training_like(run: Annotated[str, InPath(max_length=64)], console: Shown, visitor: Visiting) -> Response:
    """Shows the form, filled with the request of another run."""
    return _show(console, visitor, console.services.run_views.run(run).request)


def _show(console: Console, visitor: Visitor, given: RunRequest) -> Response:
    services = console.services
    ranges = Ranges.of(services.settings, services.settings.features)
    sample = console.window.kept.get("labeled", SAMPLE_S, lambda: labeled_sample(services.recent, ranges))
    settings = services.settings.training
    context = Training(
        sample,
        {feature.name: feature for feature in features_of(console)},
        given,
        given.get("metric", settings.metric),
        METRICS,
        given.get("split", settings.split),
        CANDIDATES,
        services.run_views.current(),
        runs_of(console, visitor, limit=RUNS),
        console.plant.read(),
        signed_in(visitor).may("operator"),
    )
    return show(console, visitor, "training/page.html", context, section="training")


@router.post("", **needs("operator"))
def start(
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    metric: Annotated[Metric, Form()],
    candidates: Annotated[list[str] | None, Form(max_length=30)] = None,
    devices: Annotated[str, Form(max_length=20_000)] = "",
    split: Annotated[SplitKind | None, Form()] = None,
    positive: Annotated[str, Form(max_length=MAX_LABEL)] = "",
    cost_missed: Amount = "",
    cost_false_alarm: Amount = "",
    recall: Amount = "",
    notes: Annotated[str, Form(max_length=2_000)] = "",
    save: Annotated[Literal["", "first", "all"], Form()] = "",
) -> Response:
    language = renderer(console, visitor).language
    wanted = RunRequest(metric=metric, notes=notes.strip(), register=[1] if save == "first" else save == "all")
    chosen = [name for name in candidates or () if name in CANDIDATES]
    if candidates and len(chosen) != len(candidates):
        raise InvalidInput("candidates: choose some of the list; nothing was started")
    if chosen:
        wanted["candidates"] = chosen
    if named := [name.strip() for name in devices.split(",") if name.strip()]:
        wanted["devices"] = named
    if split is not None:
        wanted["split"] = split
    if positive:
        wanted["positive"] = positive
    if cost_missed.strip():
        wanted["cost_missed"] = _amount(language, cost_missed, "the cost of a missed reading", MAX_COST)
    if cost_false_alarm.strip():
        wanted["cost_false_alarm"] = _amount(language, cost_false_alarm, "the cost of a false alarm", MAX_COST)
    if recall.strip():
        wanted["recall"] = _amount(language, recall, "the share to find, in percent,", 100.0) / 100
    run = acts.request(actor, console.services.registry, console.services.runs, wanted)
    return go(f"/console/runs/{run.id}")


def _amount(language: Language, text: str, name: str, most: float) -> float:
    found = number_of(language, text)
    if found is None or not 0 < found <= most:
        raise InvalidInput(f"{name} must be a number above 0 and up to {most:g}, and is {text!r}; nothing was started")
    return found


@router.post("/again", **needs("viewer"))
def load_again(console: Shown) -> Response:
    console.window.kept.forget("labeled")
    return go("/console/training")


ROUTERS = (router,)
