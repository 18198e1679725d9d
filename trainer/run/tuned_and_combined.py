"""Compares more candidates by request, after the plain ones: tuned, blended, stacked; all on the folds of the run."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from trainer.compare import ensemble, tune
from trainer.compare.judge import Bench, Judged
from trainer.compare.leaderboard import BASELINE, TUNED_PREFIX, Scored, model_type_of, ranked
from trainer.compare.pycaret_compare import Comparison
from trainer.compare.tried import Tried
from trainer.run.reporter import Reporter
from trainer.run.request import Request


def more(
    request: Request,
    comparison: Comparison,
    bench: Bench,
    tried: dict[str, Tried],
    judged: dict[str, Judged],
    say: Reporter,
) -> dict[str, Tried]:
    """Returns the additional candidates by id. `tried` and `judged` are those that were compared before."""
    asked = request.more
    order = [tried[each.id] for each in ranked([_scored(tried[name], judged) for name in tried], request.metric)]
    usable = [each for each in order if each.scores is not None and each.id != BASELINE]
    found: dict[str, Tried] = {}
    if asked.tune_s is not None:
        found |= _tuned(request, comparison, bench, usable[: tune.MAX_TUNED], asked.tune_s, say)
    members = [each for each in usable if each.shares is not None][: ensemble.MEMBERS]
    if (asked.blend or asked.stack) and len(members) < 2:
        say("no blend and no stack: fewer than two candidates have probabilities")
        return found
    pairs = [(each.id, each.model) for each in members]
    listed = ", ".join(model_type_of(name) for name, _ in pairs)
    if asked.blend:
        say(f"blending {listed}")
        found[ensemble.BLEND] = comparison.run(ensemble.BLEND, ensemble.blend(pairs))
    if asked.stack:
        say(f"stacking {listed}")
        found[ensemble.STACK] = _stacked(members, pairs, bench)
    return found


def _scored(each: Tried, judged: dict[str, Judged]) -> Scored:
    found = judged.get(each.id)
    return Scored(each.id, {} if found is None else found.scores, each.trouble, each.seconds)


def _tuned(
    request: Request, comparison: Comparison, bench: Bench, best: list[Tried], seconds: float, say: Reporter
) -> dict[str, Tried]:
    """Tries settings of the best candidates in turn, for `seconds`."""
    until = time.perf_counter() + seconds
    left = {each.id: tune.settings(comparison.grid(each.id), request.seed) for each in best}
    tests: dict[str, list[Tried]] = {each.id: [each] for each in best}
    expected_s: dict[str, float] = {each.id: each.seconds for each in best}
    while left:
        for each in best:
            if each.id not in left:
                continue
            chosen = next(left[each.id], None)
            if chosen is None or time.perf_counter() + expected_s[each.id] > until:
                del left[each.id]
                continue
            count = len(tests[each.id])
            left_s = max(0.0, until - time.perf_counter())
            share = left_s / seconds
            say(f"tuning {model_type_of(each.id)}: {count} settings tried, {left_s:.0f} s left", "tune", share)
            model = _with_settings(each.model, chosen)
            if model is None:
                continue
            test = comparison.run(each.id, model)
            expected_s[each.id] = max(test.seconds, expected_s[each.id] / 2)
            if test.scores is not None and each.scores is not None and test.scores.shape == each.scores.shape:
                tests[each.id].append(test)
    found = {}
    for name, tested in tests.items():
        if len(tested) > 1:
            found[TUNED_PREFIX + name] = _best_tuned(TUNED_PREFIX + name, tested, bench, request.metric)
    return found


def _with_settings(model: Any, chosen: dict[str, Any]) -> Any | None:
    """Returns a copy of the model with these settings; None if it rejects them."""
    try:
        return clone(model).set_params(**chosen)
    except (TypeError, ValueError):
        return None


def _best_tuned(name: str, tested: list[Tried], bench: Bench, metric: str) -> Tried:
    """Returns the candidate with the best settings. The scores of each fold use settings chosen on the other folds."""
    known = [each.scores for each in tested if each.scores is not None]
    place, crossed = tune.crossed(known, tested[0].middle, bench, metric)
    seconds = round(sum(each.seconds for each in tested), 2)
    return replace(tested[place], id=name, scores=crossed, seconds=seconds, middle=tested[0].middle, shares=None)


def _stacked(members: list[Tried], pairs: list[tuple[str, Any]], bench: Bench) -> Tried:
    started = time.perf_counter()
    shares = [each.shares for each in members if each.shares is not None]
    made, found = ensemble.stack(pairs, shares, bench.labels, bench.folds)
    seconds = round(time.perf_counter() - started + sum(each.seconds for each in members), 2)
    return Tried(ensemble.STACK, made.last, np.clip(found, -1e30, 1e30), seconds, made=made)
