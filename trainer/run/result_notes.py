"""Writes the notes of a run's result: what its scores may hide."""

from __future__ import annotations

import numpy as np

from registry.evaluation.bootstrap import FEWEST_GROUPS
from registry.evaluation.scores import scores
from registry.run_document import LeaderboardRow
from trainer.candidate.build import Built
from trainer.compare.judge import Judged
from trainer.compare.leaderboard import BASELINE, Scored, model_type_of
from trainer.evaluate.chance import guesses
from trainer.run.data import Data
from trainer.run.write import judged_answers
from zelador.printable import counted

LARGE_OPTIMISM = 0.05


def holdout_notes(data: Data, order: list[Scored], judged: dict[str, Judged], built: dict[str, Built]) -> list[str]:
    """Returns a note if the best model's score on the hold-out is outside the interval from the folds."""
    first, metric = next((each.id for each in order if each.id in built), None), data.request.metric
    if first is None or not data.has_holdout or (foreseen := judged[first].intervals) is None:
        return []
    found, interval = scores(judged_answers(data, built[first], judged[first])).get(metric), foreseen.of.get(metric)
    if found is None or interval is None or interval[0] <= found <= interval[1]:
        return []
    further = "; later rows may differ more, and how good a model is on them cannot be told"
    return [
        f"on the hold-out, the {metric} of {model_type_of(first)} is {found:.3f}, but the folds predicted "
        f"{interval[0]:.3f} to {interval[1]:.3f}: the hold-out differs from the training rows, so the intervals were "
        f"widened to include its scores{further if found < interval[0] else ''}"
    ]


def better_than_guessing(order: list[Scored], judged: dict[str, Judged]) -> list[Scored]:
    """Returns the candidates from the first one on that does better than guessing; all, if there is none.

    A candidate may score best by guessing: one that always answers "yes" has a Recall of 1.
    """
    able = (place for place, each in enumerate(order) if not guesses(each.scores.get("MCC"), judged[each.id].holdout))
    return order[next(able, 0) :]


def guessing_notes(order: list[Scored], judged: dict[str, Judged], metric: str) -> list[str]:
    """Returns a note on the candidates that score best only by guessing."""
    running = [each for each in order if each.id in judged and each.id != BASELINE]
    passed = running[: len(running) - len(better_than_guessing(running, judged))]
    return [
        f"{each.model_type} has {metric} {score:.3f}, but does no better than guessing on the hold-out, so it is not "
        "the best"
        for each in passed
        if (score := each.scores.get(metric)) is not None
    ]


def few_days_notes(data: Data) -> list[str]:
    """Returns a note on the class that was learned on the fewest days, if intervals say nothing about other days.

    With more days, the intervals are also drawn by whole days.
    """
    if data.days is None:
        return []
    rows = data.train[data.arrays.counted[data.train]]
    by_class = [len(np.unique(data.days[rows[data.codes[rows] == code]])) for code in range(len(data.classes))]
    known = [(days, name) for days, name in zip(by_class, data.classes, strict=True) if days]
    fewest, name = min(known, default=(FEWEST_GROUPS, ""))
    if fewest >= FEWEST_GROUPS:
        return []
    return [
        f"the class {name!r} was learned on {counted(fewest, 'day')} only: the intervals are for days like these, and "
        "how much others differ cannot be told"
    ]


def optimism_notes(rows: list[LeaderboardRow], metric: str) -> list[str]:
    """Returns a note about the candidate that a shuffled split flatters most, if it does so by much."""
    known = [(row.get("optimism") or 0.0, row) for row in rows if row["id"] != BASELINE]
    most, row = max(known, key=lambda each: each[0], default=(0.0, None))
    if row is None or most <= LARGE_OPTIMISM:
        return []
    says, honest = row["shuffled"][metric], row["metrics"][metric]
    return [
        f"a shuffled split would give {metric} {says:.3f} for {row['model_type']} instead of {honest:.3f}: it tests "
        "models on neighbors of the rows that they were fitted on"
    ]
