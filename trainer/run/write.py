"""Writes the models of a run: the recommended one first, each to a folder named by its rank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from registry.evaluation.bootstrap import Interval, Resamples
from registry.evaluation.scores import Answers
from registry.model import manifest
from registry.model.artifact import manifest_of, pack
from registry.model.manifest import Feature
from registry.run_document import Candidate, Scores
from trainer.candidate.alarm import alarm_rule
from trainer.candidate.build import Built
from trainer.candidate.upload import upload
from trainer.compare.judge import Judged
from trainer.compare.leaderboard import Scored
from trainer.compare.tried import Tried
from trainer.evaluate.error_counts import error_counts
from trainer.evaluate.false_alarms import FalseAlarms, false_alarms
from trainer.evaluate.groups import by_device
from trainer.evaluate.learning import Learning, Rows, learning
from trainer.evaluate.reference import Live
from trainer.evaluate.report import Beside
from trainer.evaluate.split_rows import Parts
from trainer.evaluate.verdict import Verdict
from trainer.run.data import Data
from trainer.run.documents import candidate_of, facts_of
from trainer.run.request import Request
from zelador.alarms.policy import alarm_classes
from zelador.clock import now_iso
from zelador.messages import iso

MAX_PARAMETER = 40  # characters; what is longer, such as a whole estimator, is only in the model's metadata


def write(
    folder: Path,
    data: Data,
    order: list[Scored],
    tried: dict[str, Tried],
    judged: dict[str, Judged],
    loose: dict[str, Scores],
    built: dict[str, Built],
    parts: Parts,
    verdict: Verdict,
    live: Live | None,
) -> list[Candidate]:
    """Writes the models, and returns what the run's document says about each."""
    names = [each for each in order if each.id in built]
    names.sort(key=lambda each: each.model_type != verdict.take)
    features = [
        Feature(name, data.request.units.get(name, ""), _known(np.nanmin(column)), _known(np.nanmax(column)))
        for name, column in zip(data.request.features, parts.train.T, strict=True)
    ]
    bench = data.bench()
    resamples = data.holdout_resamples() if data.has_holdout or bench.unsure else bench.resamples
    ended: dict[str, str] = {}
    if data.arrays.times is not None and data.request.metadata["data"]["to"] is not None:
        ended["trained_to"] = iso(int(data.arrays.times[data.train].max()))
    held = len(data.judged) if data.has_holdout else 0
    drawn = bench.resamples if bench.unsure is None else Resamples.of(np.zeros(len(bench.labels), np.int64))
    first = (judged[names[0].id].answers, drawn) if names and drawn is not None else None
    drawn_by = data.question_resamples()
    questions = {name: (rows, drawn_by[name]) for name, rows in data.questions.items()}
    found = []
    for rank, each in enumerate(names, start=1):
        model, answers = built[each.id], judged_answers(data, built[each.id], judged[each.id])
        candidate = candidate_of(
            rank, each, judged[each.id], loose.get(each.id), model, answers, resamples,
            questions, live, data.request.metric,
            verdict.recommends, first,
        )  # fmt: skip
        facts = ended | facts_of(
            candidate, each, judged[each.id], tried[each.id].model, data.positive, held, data.request
        )
        candidate["parameters"] = {
            name: value
            for name, value in facts["parameters"].items()
            if "__" not in name and len(str(value)) <= MAX_PARAMETER
        }
        facts |= {"train_rows": len(data.train), **_alarm(data, judged[each.id])}
        fitted = None if tried[each.id].made is not None else tried[each.id].model
        beside = _beside(data, model, judged[each.id], fitted, parts, answers)
        packed = upload(model, parts, answers, features, facts, data.request.seed, beside)
        files = pack(packed, each.model_type)
        described = manifest_of(packed, each.model_type, files, now_iso())
        _save(folder / str(rank), {**files, manifest.FILE: manifest.encode(described)})
        found.append(candidate)
    return found


def _beside(data: Data, built: Built, judged: Judged, model: Any, parts: Parts, answers: Answers) -> Beside:
    """Returns what the model's report needs besides its answers."""
    arrays, request, rows = data.arrays, data.request, data.judged
    devices = None if arrays.devices is None else arrays.devices[rows]
    counted = arrays.counted[data.train]
    known = Rows(
        parts.train[counted], data.codes[data.train][counted], arrays.tested[data.train][counted],
        arrays.stretches[data.train][counted], data.classes, data.positive,
    )  # fmt: skip
    sure = None if judged.intervals is None else judged.intervals.of.get(request.metric)
    return Beside(
        data.aim,
        None if built.threshold is None else built.threshold.value,
        by_device(answers, devices, request.devices, request.metric),
        _learning(request, model, known, sure),
        _false_alarms(data, judged),
        error_counts(judged.answers, answers if data.has_holdout else None),
    )


def _learning(request: Request, model: Any, known: Rows, sure: Interval | None) -> Learning | str:
    if request.folds_by == "row":
        return "Folds by row have no stretches of time."
    if model is None:
        return "A stacked model is not fitted on parts of the readings."
    return learning(model, known, request.metric, sure, request.seed, request.more.balance)


def _false_alarms(data: Data, judged: Judged) -> FalseAlarms | None:
    """Returns the false alarms in the out-of-fold answers on the training rows."""
    rows, arrays = data.train[data.arrays.counted[data.train]], data.arrays
    if data.positive is None or data.days is None or arrays.times is None:
        return None
    devices = None if arrays.devices is None else arrays.devices[rows]
    return false_alarms(judged.answers, data.classes.index(data.positive), devices, arrays.times[rows])


def _alarm(data: Data, judged: Judged) -> dict[str, Any]:
    """Returns the rule by which the model's predictions are an alarm (ZELADOR_ALARM__…); empty if it has none."""
    alarm = alarm_classes(None, data.classes, {**data.request.metadata})
    if len(alarm) != 1:
        return {}
    arrays, rows = data.arrays, data.train[data.arrays.counted[data.train]]
    devices = None if arrays.devices is None else arrays.devices[rows]
    times = None if arrays.times is None else arrays.times[rows]
    rule = alarm_rule(judged.answers, alarm[0], devices, times)
    return {} if rule is None else {"alarm": {"class": alarm[0], **rule}}


def judged_answers(data: Data, built: Built, judged: Judged) -> Answers:
    """Returns the answers that a model is judged by: on the hold-out, or on all folds if nothing is held out."""
    if not data.has_holdout:
        return judged.answers
    everything = built.answers(data.codes[data.asked], data.classes, data.positive)
    return everything.at(data.arrays.counted[data.asked])


def _save(folder: Path, files: dict[str, bytes]) -> None:
    """Writes the files, the manifest last."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
