"""The child's work: compares the classifiers, judges them, and builds the best of them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from registry.evaluation.bootstrap import difference, too_few
from registry.evaluation.scores import scores
from registry.model.manifest import Threshold
from registry.run_document import Scores, Seconds
from trainer.candidate.build import Built, build
from trainer.candidate.rebuild import check_rebuilt, fit, rebuild
from trainer.compare import ensemble, parallel
from trainer.compare.judge import Bench, Judged, judge, shuffled, widened
from trainer.compare.leaderboard import BASELINE, Scored, ranked
from trainer.compare.pycaret_compare import Comparison, Ways
from trainer.compare.tried import Tried
from trainer.evaluate import threshold
from trainer.evaluate.calibrate import Calibration
from trainer.evaluate.learnable import Learnable, learnable
from trainer.evaluate.reference import Live, judge_live
from trainer.evaluate.split_rows import Parts
from trainer.evaluate.verdict import Contender, Verdict, decide
from trainer.run.compared import compare
from trainer.run.data import Data
from trainer.run.documents import leaderboard, verdict_facts
from trainer.run.events import Result
from trainer.run.finished import read, save, stopped
from trainer.run.reporter import Reporter
from trainer.run.request import REQUEST, Request
from trainer.run.result_notes import better_than_guessing, few_days_notes, guessing_notes, holdout_notes, optimism_notes
from trainer.run.tuned_and_combined import more
from trainer.run.write import judged_answers, write
from zelador.messages import iso

WRITE_SHARE = 0.5  # of the time after the comparison: to write the models and their reports


def run(folder: Path, say: Reporter) -> Result:
    """Runs the request in `folder`. Writes each model's files to a subfolder named by its rank."""
    warnings.simplefilter("ignore")
    data = Data.of(folder)
    request, bench = data.request, data.bench()
    started = time.perf_counter()
    ways = _ways(folder, request)
    comparison = Comparison(**_arguments(data, ways))
    _compare_elsewhere(folder, data, ways, comparison.names, say)
    tried, judged = compare(folder, comparison, bench, say)
    why = stopped(folder) or comparison.over  # if set, the run ends with the candidates compared so far
    further = {} if why is not None else more(request, comparison, bench, tried, judged, say)
    tried |= further
    for name, each in further.items():
        if each.scores is not None:
            judged[name] = judge(each.scores, each.middle, bench)
    order = ranked([_scored(each, judged.get(name)) for name, each in tried.items()], request.metric)
    compared_at = time.perf_counter()
    parts = data.parts(comparison.precision)
    why = why or comparison.over
    loose = {} if why is not None else _shuffled(data, tried, judged, parts, bench, say)
    short = [] if why is None else [f"{why}: {_compared(*(len(each.keys() - {BASELINE}) for each in (judged, tried)))}"]
    shuffled_at = time.perf_counter()
    say("testing whether there is anything to learn")
    nothing = _learnable(data)
    built, refused = _build(data, comparison, tried, order, parts, bench, say)
    surprises = holdout_notes(data, order, judged, built)
    judged |= _widened(data, judged, built)
    verdict = _verdict(data, order, judged, built, bench, nothing)
    live = _judge_live(folder, data)
    say("writing the models and their reports", "build", WRITE_SHARE)
    chosen = write(folder, data, order, tried, judged, loose, built, parts, verdict, live)
    rows = leaderboard(order, judged, loose, refused, built, request.metric)
    return Result(
        leaderboard=rows,
        candidates=chosen,
        classes=list(data.classes),
        positive=data.positive,
        train_rows=len(data.train),
        verdict=verdict_facts(verdict, nothing),
        reference=live.facts if live is not None else None,
        notes=[
            *short,
            *guessing_notes(order, judged, request.metric),
            *surprises,
            *few_days_notes(data),
            *optimism_notes(rows, request.metric),
        ],
        seconds=Seconds(
            compare=round(compared_at - started, 1),
            shuffled=round(shuffled_at - compared_at, 1),
            rebuild=round(time.perf_counter() - shuffled_at, 1),
        ),
    )


def _compared(some: int, total: int) -> str:
    return f"{some} of {total} classifiers {'was' if some == 1 else 'were'} compared"


def _arguments(data: Data, ways: Ways) -> dict[str, Any]:
    """Returns the arguments of the Comparison."""
    rows, tested, request = data.arrays.rows, data.arrays.tested, data.request
    return {
        "rows": rows[data.train], "codes": data.codes[data.train], "folds": tested[data.train],
        "test": rows[data.asked], "test_codes": data.codes[data.asked], "features": request.features,
        "seed": request.seed, "candidates": request.candidates, "exclude": request.more.exclude, "ways": ways,
    }  # fmt: skip


def _compare_elsewhere(folder: Path, data: Data, ways: Ways, names: Sequence[str], say: Reporter) -> None:
    """Compares the remaining candidates on a cluster, if one is set. The budget does not apply there."""
    engine = data.request.parallel
    left = [name for name in names if name not in read(folder)]
    if engine is None or not left or stopped(folder) is not None:
        return
    say(f"comparing {len({*left} - {BASELINE})} classifiers on {engine}")
    arguments = _arguments(data, replace(ways, until=None))
    for each in parallel.compare(engine, data.request.parallel_address, arguments, left):
        save(folder, each)


def _ways(folder: Path, request: Request) -> Ways:
    """Returns how to compare. The budget counts from the request, even if this process continues after another."""
    more, until = request.more, None
    if more.budget_s is not None:
        until = time.perf_counter() + more.budget_s - (time.time() - (folder / REQUEST).stat().st_mtime)
    return Ways(more.balance, more.gpu, more.blend or more.stack, more.budget_s, until)


def _scored(tried: Tried, judged: Judged | None) -> Scored:
    return Scored(tried.id, {} if judged is None else judged.scores, tried.trouble, tried.seconds)


def _shuffled(
    data: Data, tried: dict[str, Tried], judged: dict[str, Judged], parts: Parts, bench: Bench, say: Reporter
) -> dict[str, Scores]:
    """Returns the scores of each candidate with a shuffled split; its own scores if rows were drawn at random."""
    found: dict[str, Scores] = {}
    for done, name in enumerate(judged, start=1):
        if data.request.folds_by == "row":
            found[name] = judged[name].scores
            continue
        say(f"shuffling the rows, for comparison: {done} of {len(judged)}", "shuffle", 1 - (done - 1) / len(judged))
        if tried[name].made is not None:
            continue  # a stack learns from the run's own folds, which a shuffled split does not have
        balance = data.request.seed if data.request.more.balance else None
        loose = shuffled(tried[name].model, parts.train, bench, data.request.folds, data.request.seed, balance)
        if loose is not None:
            found[name] = loose
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
    say: Reporter,
) -> tuple[dict[str, Built], dict[str, str]]:
    """Builds candidates in order of rank until `keep` are built. Also returns why others were not chosen, by id."""
    found: dict[str, Built] = {}
    refused: dict[str, str] = {}
    usable = [scored for scored in order if scored.trouble() is None]
    most = min(data.request.keep, len(usable))
    for scored in usable:
        if len(found) == most:
            break
        share = 1 - (1 - WRITE_SHARE) * len(found) / most
        say(f"rebuilding {scored.model_type} ({len(found) + 1} of {most})", "build", share)
        try:
            found[scored.id] = _build_one(data, comparison, tried[scored.id], parts, bench)
        except Exception as error:  # noqa: BLE001 - a candidate that fails must not cost the run; it is reported
            refused[scored.id] = str(error)[:300]
            say(f"skipping {scored.model_type}: {refused[scored.id]}")
    return found, refused


def _build_one(data: Data, comparison: Comparison, tried: Tried, parts: Parts, bench: Bench) -> Built:
    assert tried.scores is not None  # noqa: S101 - it is ranked
    balance = data.request.seed if data.request.more.balance else None
    if tried.made is not None:
        pipeline = ensemble.fitted(tried.made, parts, partial(fit, balance=balance))
    else:
        pipeline = rebuild(tried.model, parts, balance)
        check_rebuilt(pipeline, comparison.fitted(tried.model), comparison.transformed, parts)
    calibration = Calibration.fit(tried.scores, bench.labels, tried.middle)
    rule = None
    if data.positive is not None:
        place = data.classes.index(data.positive)
        shares = calibration.probabilities(tried.scores)[:, place]
        rule = Threshold(data.positive, threshold.choose(shares, bench.labels == place, bench.aim))
    return build(pipeline, calibration, rule, parts, data.request.seed)


def _verdict(
    data: Data,
    order: list[Scored],
    judged: dict[str, Judged],
    built: dict[str, Built],
    bench: Bench,
    nothing: Learnable,
) -> Verdict:
    metric = data.request.metric
    running = better_than_guessing([each for each in order if each.id in judged and each.id != BASELINE], judged)
    contenders = []
    for place, each in enumerate(running):
        found = judged[each.id]
        lead = None
        if place and bench.resamples is not None:
            lead = difference(judged[running[0].id].answers, found.answers, bench.resamples, metric)
            lead = lead if bench.unsure is None else replace(lead, interval=None, reason=bench.unsure)
        sure = {} if found.intervals is None else found.intervals.of
        model = built.get(each.id)
        contenders.append(
            Contender(
                name=each.model_type,
                score=each.scores.get(metric),
                interval=sure.get(metric),
                lead=lead,
                mcc=found.chance,
                holdout=found.holdout,
                asked=tuple(each.get(metric) for each in found.asked),
                correlation=each.scores.get("MCC"),
                built=model is not None,
                calibrated=model is not None and model.calibrated,
                us_per_row=None if model is None else model.us_per_row,
            )
        )
    counted = len(set(bench.labels[bench.counted].tolist()))
    few = None if bench.resamples is None or not running else too_few(judged[running[0].id].answers, bench.resamples)
    return decide(contenders, metric, nothing, data.request.alone, counted, few, bench.aim.words)


def _judge_live(folder: Path, data: Data) -> Live | None:
    rows, arrays = data.judged, data.arrays
    began = None
    if arrays.times is not None and data.request.metadata["data"]["from"] is not None and len(rows):
        began = iso(int(arrays.times[rows].min()))
    drawn = data.question_resamples()
    return judge_live(
        folder, data.request, arrays.rows[rows], data.codes[rows], data.classes, data.positive,
        data.holdout_resamples(), began,
        {name: (asked, drawn[name]) for name, asked in data.questions.items()},
    )  # fmt: skip


def _widened(data: Data, judged: dict[str, Judged], built: dict[str, Built]) -> dict[str, Judged]:
    """Returns the judgments of the built models, with intervals that include the scores on the hold-out."""
    if not data.has_holdout:
        return {}
    found = {}
    for name, each in built.items():
        answers = judged_answers(data, each, judged[name])
        parts = [answers, *(answers.at(rows) for rows in data.questions.values())]
        asked = [scores(part) for part in parts if len(np.unique(part.expected)) > 1]
        found[name] = widened(judged[name], asked) if asked else judged[name]
    return found
