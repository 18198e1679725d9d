"""What the child does with a request: compare the classifiers, judge them, and pack the best of them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.bootstrap import Resamples, difference
from registry.evaluation.scores import Answers, positive_of
from registry.model import manifest
from registry.model.artefact import manifest_of, pack
from registry.model.manifest import Feature, Threshold
from registry.run_document import Candidate, LeaderboardRow, Scores, Seconds
from trainer.candidate.alarm import alarm_rule
from trainer.candidate.build import Built, build
from trainer.candidate.pack import upload
from trainer.candidate.rebuild import check_rebuilt, rebuild
from trainer.compare.judge import Bench, Judged, judge, shuffled
from trainer.compare.leaderboard import BASELINE, MODEL_TYPES, Scored, ranked
from trainer.compare.pycaret_compare import Comparison, Tried
from trainer.evaluate import threshold
from trainer.evaluate.calibrate import Calibration
from trainer.evaluate.holdout import EMBARGO, LATER, NEW_DEVICE
from trainer.evaluate.learnable import Learnable, learnable
from trainer.evaluate.parts import Parts
from trainer.evaluate.reference import Live, judge_live
from trainer.evaluate.verdict import Contender, Verdict, decide
from trainer.run import request as requests
from trainer.run.documents import candidate_of, facts_of, leaderboard, verdict_facts
from trainer.run.events import Result
from trainer.run.request import Arrays, Request
from zelador.alarms.classes import alarm_classes
from zelador.clock import now_iso
from zelador.messages import iso

MAX_UNSEEN = 5_000  # training rows that stand in for a hold-out where answers are only compared
LARGE_OPTIMISM = 0.05

Say = Callable[[str], None]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Data:
    """The request's rows in their parts. `judged` are the rows that count of those that models are judged by: the
    hold-out, or all training rows where there is none."""

    request: Request
    arrays: Arrays
    classes: tuple[str, ...]
    codes: NDArray[np.int64]
    train: NDArray[np.int64]
    asked: NDArray[np.int64]  # rows that the final models are asked
    has_holdout: bool
    positive: str | None

    @classmethod
    def of(cls, folder: Path) -> Data:
        request, arrays = requests.read(folder)
        classes = tuple(sorted(set(request.labels)))
        places = {label: place for place, label in enumerate(classes)}
        codes = np.array([places[label] for label in request.labels], np.int64)
        train = np.flatnonzero(arrays.tested >= 0)
        held = np.flatnonzero((arrays.tested < 0) & (arrays.tested != EMBARGO))
        asked = held if len(held) else train[np.unique(np.linspace(0, len(train) - 1, MAX_UNSEEN).astype(int))]
        positive = positive_of(codes, classes, request.positive)
        return cls(request, arrays, classes, codes, train, asked, bool(len(held)), positive)

    def parts(self, precision: np.dtype[Any]) -> Parts:
        labels = self.request.labels
        return Parts(
            self.arrays.rows[self.train].astype(precision),
            tuple(labels[i] for i in self.train),
            self.arrays.rows[self.asked],
            tuple(labels[i] for i in self.asked),
            self.classes,
        )

    def bench(self) -> Bench:
        counted, within = self.arrays.counted[self.train], self.arrays.within[self.train]
        request = self.request
        return Bench(
            self.codes[self.train],
            self.arrays.tested[self.train],
            counted,
            within,
            self.classes,
            self.positive,
            threshold.Aim(request.missed, request.false_alarm, request.recall),
            Resamples.of(self.arrays.stretches[self.train][counted]) if counted.any() else None,
        )

    @property
    def judged(self) -> NDArray[np.int64]:
        rows = self.asked if self.has_holdout else self.train
        found: NDArray[np.int64] = rows[self.arrays.counted[rows]]
        return found


def run(folder: Path, say: Say) -> Result:
    """Does the request in `folder`, and writes the files of each candidate to a folder named by its rank below it."""
    warnings.simplefilter("ignore")
    data = Data.of(folder)
    request, bench = data.request, data.bench()
    started = time.perf_counter()
    comparison = _experiment(data)
    tried = _tried(comparison, say)
    judged = {name: judge(each.scores, each.middle, bench) for name, each in tried.items() if each.scores is not None}
    order = ranked([_scored(each, judged.get(name)) for name, each in tried.items()], request.metric)
    compared_at = time.perf_counter()
    parts = data.parts(comparison.precision)
    loose = _shuffled(data, tried, judged, parts, bench, say)
    shuffled_at = time.perf_counter()
    say("testing whether there is anything to learn")
    nothing = _learnable(data)
    built, refused = _build(data, comparison, tried, order, parts, bench, say)
    verdict = _verdict(data, order, judged, built, bench, nothing)
    live = _live(folder, data)
    chosen = _write(folder, data, order, tried, judged, loose, built, parts, verdict, live)
    rows = leaderboard(order, judged, loose, refused, built, request.metric)
    return Result(
        leaderboard=rows,
        candidates=chosen,
        classes=list(data.classes),
        positive=data.positive,
        train_rows=len(data.train),
        verdict=verdict_facts(verdict, nothing),
        reference=live.facts if live is not None else None,
        notes=_optimism_notes(rows, request.metric),
        seconds=Seconds(
            compare=round(compared_at - started, 1),
            shuffled=round(shuffled_at - compared_at, 1),
            rebuild=round(time.perf_counter() - shuffled_at, 1),
        ),
    )


def _experiment(data: Data) -> Comparison:
    rows, tested = data.arrays.rows, data.arrays.tested
    return Comparison(
        rows[data.train], data.codes[data.train], tested[data.train], rows[data.asked], data.codes[data.asked],
        data.request.features, data.request.seed, data.request.candidates,
    )  # fmt: skip


def _tried(comparison: Comparison, say: Say) -> dict[str, Tried]:
    found: dict[str, Tried] = {}
    total = len(comparison.names)
    for done, name in enumerate(comparison.names):
        say(f"compared {done} of {total} classifiers; {MODEL_TYPES.get(name, name)} is next")
        found[name] = comparison.run(name)
    say(f"compared {total} of {total} classifiers")
    return found


def _scored(tried: Tried, judged: Judged | None) -> Scored:
    return Scored(tried.id, {} if judged is None else judged.scores, tried.trouble, tried.seconds)


def _shuffled(
    data: Data, tried: dict[str, Tried], judged: dict[str, Judged], parts: Parts, bench: Bench, say: Say
) -> dict[str, Scores]:
    """What a shuffled split would have said of each candidate. Where rows were drawn at random, that is their score."""
    found: dict[str, Scores] = {}
    for done, name in enumerate(judged, start=1):
        if data.request.folds_by == "row":
            found[name] = judged[name].scores
            continue
        say(f"shuffling the rows, for comparison: {done} of {len(judged)}")
        scores = shuffled(tried[name].model, parts.train, bench, data.request.folds, data.request.seed)
        if scores is not None:
            found[name] = scores
    return found


def _learnable(data: Data) -> Learnable:
    arrays = data.arrays
    rows = data.train[arrays.counted[data.train]]
    if len(set(data.codes[rows].tolist())) < 2:
        return Learnable(None, "fewer than two classes can be evaluated")
    return learnable(
        arrays.rows[rows],
        data.codes[rows],
        None if arrays.devices is None else arrays.devices[rows],
        None if arrays.times is None else arrays.times[rows],
        arrays.stretches[rows],
        arrays.tested[rows],
        data.request.seed,
    )


def _build(
    data: Data,
    comparison: Comparison,
    tried: dict[str, Tried],
    order: list[Scored],
    parts: Parts,
    bench: Bench,
    say: Say,
) -> tuple[dict[str, Built], dict[str, str]]:
    """Goes down the ranking until `keep` candidates are built. Also returns why others were not chosen, by id."""
    found: dict[str, Built] = {}
    refused: dict[str, str] = {}
    for scored in order:
        if len(found) == data.request.keep:
            break
        if scored.trouble() is not None:
            continue
        say(f"rebuilding {scored.model_type} ({len(found) + 1} of {data.request.keep})")
        try:
            found[scored.id] = _built(data, comparison, tried[scored.id], parts, bench)
        except Exception as error:  # noqa: BLE001 - a candidate that fails must not cost the run; it is reported
            refused[scored.id] = str(error)[:300]
            say(f"{scored.model_type} is passed over: {refused[scored.id]}")
    return found, refused


def _built(data: Data, comparison: Comparison, tried: Tried, parts: Parts, bench: Bench) -> Built:
    assert tried.scores is not None  # noqa: S101 - it is ranked
    pipeline = rebuild(tried.model, parts)
    check_rebuilt(pipeline, comparison.fitted(tried.model), comparison.transformed, parts)
    calibration = Calibration.fit(tried.scores, bench.labels, tried.middle)
    rule = None
    if data.positive is not None:
        place = data.classes.index(data.positive)
        shares = calibration.probabilities(tried.scores)[:, place]
        rule = Threshold(data.positive, threshold.choose(shares, bench.labels == place, bench.aim))
    return build(pipeline, calibration, rule, parts, data.request.seed)


def _judged_answers(data: Data, built: Built, judged: Judged) -> Answers:
    """The answers that a model is judged by: on the hold-out, or those of all folds where there is none."""
    if not data.has_holdout:
        return judged.answers
    everything = built.answers(data.codes[data.asked], data.classes, data.positive)
    return everything.at(data.arrays.counted[data.asked])


def _verdict(
    data: Data,
    order: list[Scored],
    judged: dict[str, Judged],
    built: dict[str, Built],
    bench: Bench,
    nothing: Learnable,
) -> Verdict:
    metric = data.request.metric
    running = [each for each in order if each.id in judged and each.id != BASELINE]
    contenders = []
    for place, each in enumerate(running):
        found = judged[each.id]
        lead = None
        if place and bench.resamples is not None:
            lead = difference(judged[running[0].id].answers, found.answers, bench.resamples, metric)
        sure = {} if found.intervals is None else found.intervals.of
        model = built.get(each.id)
        contenders.append(
            Contender(
                name=each.model_type,
                score=each.scores.get(metric),
                interval=sure.get(metric),
                lead=lead,
                mcc=sure.get("MCC"),
                correlation=each.scores.get("MCC"),
                built=model is not None,
                calibrated=model is not None and model.calibrated,
                us_per_row=None if model is None else model.us_per_row,
            )
        )
    counted = len(set(bench.labels[bench.counted].tolist()))
    return decide(contenders, metric, nothing, data.request.alone, counted)


def _write(
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
    """Writes the files of each model, the recommended one first, each to a folder named by its rank."""
    names = [each for each in order if each.id in built]
    names.sort(key=lambda each: each.model_type != verdict.take)
    features = [
        Feature(name, data.request.units.get(name, ""), _known(np.nanmin(column)), _known(np.nanmax(column)))
        for name, column in zip(data.request.features, parts.train.T, strict=True)
    ]
    questions = {
        name: data.arrays.tested[data.judged] == mark for name, mark in (("new_device", NEW_DEVICE), ("later", LATER))
    }
    resamples = Resamples.of(data.arrays.stretches[data.judged]) if data.has_holdout else data.bench().resamples
    ended: dict[str, str] = {}
    if data.arrays.times is not None and data.request.metadata["data"]["to"] is not None:
        ended["trained_to"] = iso(int(data.arrays.times[data.train].max()))
    held = len(data.judged) if data.has_holdout else 0
    found = []
    for rank, each in enumerate(names, start=1):
        model, answers = built[each.id], _judged_answers(data, built[each.id], judged[each.id])
        candidate = candidate_of(
            rank, each, judged[each.id], loose.get(each.id), model, answers, resamples,
            {name: rows for name, rows in questions.items() if rows.any()}, live, data.request.metric,
            verdict.recommends,
        )  # fmt: skip
        facts = ended | facts_of(
            candidate, each, judged[each.id], tried[each.id].model, data.positive, held, data.request
        )
        facts |= _alarm(data, judged[each.id])
        packed = upload(model, parts, answers, features, facts, data.request.seed)
        files = pack(packed, each.model_type)
        described = manifest_of(packed, each.model_type, files, now_iso())
        _save(folder / str(rank), {**files, manifest.FILE: manifest.encode(described)})
        found.append(candidate)
    return found


def _alarm(data: Data, judged: Judged) -> dict[str, Any]:
    """The rule by which the model's predictions are an alarm (ZELADOR_ALARM__…), if it can be computed."""
    alarm = alarm_classes(None, data.classes, {**data.request.metadata})
    if len(alarm) != 1:
        return {}
    arrays, rows = data.arrays, data.train[data.arrays.counted[data.train]]
    devices = None if arrays.devices is None else arrays.devices[rows]
    times = None if arrays.times is None else arrays.times[rows]
    rule = alarm_rule(judged.answers, alarm[0], devices, times)
    return {} if rule is None else {"alarm": {"class": alarm[0], **rule}}


def _live(folder: Path, data: Data) -> Live | None:
    rows, arrays = data.judged, data.arrays
    began = None
    if arrays.times is not None and data.request.metadata["data"]["from"] is not None and len(rows):
        began = iso(int(arrays.times[rows].min()))
    return judge_live(
        folder, data.request, arrays.rows[rows], data.codes[rows], data.classes, data.positive,
        Resamples.of(arrays.stretches[rows]), began,
    )  # fmt: skip


def _optimism_notes(rows: list[LeaderboardRow], metric: str) -> list[str]:
    """Of the candidate that the shuffled split flatters most, if it does."""
    known = [(row.get("optimism") or 0.0, row) for row in rows if row["id"] != BASELINE]
    most, row = max(known, key=lambda each: each[0], default=(0.0, None))
    if row is None or most <= LARGE_OPTIMISM:
        return []
    says, honest = row["shuffled"][metric], row["metrics"][metric]
    return [
        f"a shuffled split would say {metric} {says:.3f} for {row['model_type']} instead of {honest:.3f}: it tests "
        "models on neighbors of the rows that they were fitted on"
    ]


def _save(folder: Path, files: dict[str, bytes]) -> None:
    """The manifest is the last of the files."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
