"""Training: is there anything to learn? then start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Response

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.overview.live import FeatureShown, features_of
from admin.console.page import go, pages, show, signed_in
from admin.console.runs.page import Runs, runs_of
from admin.console.visitor import Visiting
from operations.acts import runs as acts
from operations.views.labeled import LabeledSample, labeled_sample
from operations.views.plant import PlantView
from operations.views.runs import RunView
from zelador.errors import InvalidInput
from zelador.settings import Metric
from zelador.training_queue import RunRequest

router = pages("training")

SAMPLE_S = 300.0
RUNS = 8
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
    metric: Metric
    metrics: tuple[Metric, ...]
    candidates: dict[str, str]
    current: RunView | None  # that holds the trainer
    runs: Runs
    now: PlantView
    may_start: bool


@router.get("", **needs("viewer"))
def show_training(console: Shown, visitor: Visiting) -> Response:
    services = console.services
    names = tuple(services.settings.features)
    sample = console.window.kept.get("labeled", SAMPLE_S, lambda: labeled_sample(services.recent, names))
    context = Training(
        sample,
        {feature.name: feature for feature in features_of(console)},
        services.settings.training.metric,
        METRICS,
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
    actor: Acting,
    metric: Annotated[Metric, Form()],
    candidates: Annotated[list[str] | None, Form(max_length=30)] = None,
    notes: Annotated[str, Form(max_length=2_000)] = "",
    save: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    wanted = RunRequest(metric=metric, notes=notes.strip(), register=save == "yes")
    chosen = [name for name in candidates or () if name in CANDIDATES]
    if candidates and len(chosen) != len(candidates):
        raise InvalidInput("candidates: choose some of the list; nothing was started")
    if chosen:
        wanted["candidates"] = chosen
    run = acts.request(actor, console.services.registry, console.services.runs, wanted)
    return go(f"/console/runs/{run.id}")


@router.post("/again", **needs("viewer"))
def load_again(console: Shown) -> Response:
    console.window.kept.forget("labeled")
    return go("/console/training")


ROUTERS = (router,)
