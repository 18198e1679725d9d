"""Builds the parts of a run's document, and a model's metadata about its run."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.bootstrap import Resamples, differences, intervals
from registry.evaluation.scores import Answers, confusion, scores
from registry.run_document import Candidate, LeaderboardRow, Scores, VerdictFacts
from trainer.candidate.build import Built
from trainer.compare.judge import Judged
from trainer.compare.leaderboard import Scored
from trainer.evaluate.learnable import Learnable
from trainer.evaluate.reference import Live
from trainer.evaluate.verdict import Verdict
from trainer.run.request import Request
from zelador.model_metrics import METRICS

PACKAGES = (
    "pycaret", "scikit-learn", "numpy", "pandas", "lightgbm", "xgboost-cpu", "xgboost", "catboost", "skl2onnx",
    "onnxmltools", "onnxruntime", "skops",
)  # fmt: skip


def leaderboard(
    order: list[Scored],
    judged: Mapping[str, Judged],
    loose: Mapping[str, Scores],
    refused: Mapping[str, str],
    built: Mapping[str, Built],
    metric: str,
) -> list[LeaderboardRow]:
    rows = []
    place = 0
    for scored in order:
        failed, found, model = scored.failed is not None, judged.get(scored.id), built.get(scored.id)
        place += not failed
        row = LeaderboardRow(
            place=None if failed else place,
            id=scored.id,
            model_type=scored.model_type,
            metrics=scored.scores,
            seconds=None if failed else scored.seconds,
            trouble=refused.get(scored.id) or scored.trouble(),
        )
        if found is not None:
            row["intervals"] = {} if found.intervals is None else found.intervals.of
            row["shuffled"] = loose.get(scored.id, {})
            row["optimism"] = optimism(loose.get(scored.id), found.scores, metric)
            row["within_device"] = found.within
            row["us_per_row"] = None if model is None else model.us_per_row
            row["served_by"] = None if model is None else model.agreement["served_by"]
        rows.append(row)
    return rows


def candidate_of(
    rank: int,
    scored: Scored,
    judged: Judged,
    loose: Scores | None,
    built: Built,
    answers: Answers,
    resamples: Resamples | None,
    questions: Mapping[str, tuple[NDArray[np.bool_], Resamples]],
    live: Live | None,
    metric: str,
    recommended: bool,
    first: tuple[Answers, Resamples] | None,
) -> Candidate:
    """Returns a model's part of the document. `answers` are what it is judged by.

    `questions` marks rows among them, with draws of these rows. `first` are the answers of the recommended model over
    all folds.
    """
    found = Candidate(
        rank=rank,
        model_type=scored.model_type,
        metrics=judged.scores,
        holdout=scores(answers),
        served_by=built.agreement["served_by"],
        agreement=built.agreement,
        confusion={"labels": list(answers.classes), "counts": confusion(answers)},
        intervals={} if judged.intervals is None else judged.intervals.of,
        holdout_intervals={} if resamples is None else intervals(answers, resamples).of,
        questions={name: scores(answers.at(rows)) for name, (rows, _) in questions.items()},
        question_intervals={name: intervals(answers.at(rows), drawn).of for name, (rows, drawn) in questions.items()},
        shuffled=loose or {},
        optimism=optimism(loose, judged.scores, metric),
        threshold=None if built.threshold is None else built.threshold.value,
        calibrated=built.calibrated,
        us_per_row=built.us_per_row,
        within_device=judged.within,
        difference=None,
        difference_intervals=None,
    )
    if first is not None:
        leads = differences(judged.answers, *first)
        found["from_first"] = {name: each.value for name, each in leads.items()}
        found["from_first_intervals"] = {name: each.interval for name, each in leads.items()}
    if live is not None and live.answers is not None:
        by_metric = differences(answers, live.answers, live.resamples, few=True)
        found["difference"] = {name: each.value for name, each in by_metric.items()}
        found["difference_intervals"] = {name: each.interval for name, each in by_metric.items()}
    if not recommended:
        found["not_recommended"] = True
    return found


def optimism(loose: Scores | None, honest: Scores, metric: str) -> float | None:
    says, score = (loose or {}).get(metric), honest.get(metric)
    return None if says is None or score is None else round(says - score, 6)


def facts_of(
    candidate: Candidate,
    scored: Scored,
    judged: Judged,
    model: Any,
    positive: str | None,
    holdout_rows: int,
    request: Request,
) -> dict[str, Any]:
    """Returns the metadata of a model."""
    found: dict[str, Any] = {
        "model_type": scored.model_type,
        "metrics": candidate["metrics"],
        "folds": {metric: [fold[metric] for fold in judged.by_fold] for metric in METRICS},
        "intervals": candidate["intervals"],
        "holdout_intervals": candidate["holdout_intervals"],
        "questions": candidate.get("questions", {}),
        "question_intervals": candidate.get("question_intervals", {}),
        "shuffled": candidate["shuffled"],
        "optimism": candidate["optimism"],
        "rank": candidate["rank"],
        "from_first": candidate.get("from_first", {}),
        "from_first_intervals": candidate.get("from_first_intervals", {}),
        "us_per_row": candidate["us_per_row"],
        "holdout_rows": holdout_rows,
        "seconds": scored.seconds,
        "positive": positive,  # of Recall, Precision, F1 and PR-AUC
        "threshold": candidate["threshold"],
        "calibrated": candidate["calibrated"],
        "costs": {"missed": request.missed, "false_alarm": request.false_alarm, "recall": request.recall},
        "parameters": _as_json(model.get_params()),
        "versions": _versions(),
        **request.metadata,
    }
    if candidate.get("difference") is not None:
        found["reference"] = request.live  # the model that was live, and that the differences are from
        found["difference"] = candidate["difference"]
        found["difference_intervals"] = candidate["difference_intervals"]
    if candidate.get("not_recommended"):
        found["not_recommended"] = True
    return found


def verdict_facts(verdict: Verdict, nothing: Learnable) -> VerdictFacts:
    facts = VerdictFacts(kind=verdict.kind, sentence=verdict.sentence, tied=list(verdict.tied), p=nothing.p)
    if (moved := nothing.shown()) is not None:
        facts["moved"] = moved
    return facts


def _versions() -> dict[str, str]:
    """Returns the versions of the packages that affect a model."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _as_json(parameters: dict[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Returns an estimator's parameters; values that JSON does not have become text."""
    return {
        key: value if isinstance(value, str | int | bool | None) or _is_finite(value) else str(value)
        for key, value in parameters.items()
    }


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)
