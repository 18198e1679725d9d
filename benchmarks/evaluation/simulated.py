"""Simulated answers and labels, whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from benchmarks.evaluation.goal import Goal, Lines
from benchmarks.evaluation.train import METRIC, train
from registry.evaluation.bootstrap import Resamples, differences, intervals
from registry.evaluation.scores import Answers, scores
from registry.run_document import RunDocument
from trainer.dataset import assemble
from trainer.evaluate.split import split
from trainer.policy import decide
from trainer.run.job import known_of

NIGHTS, NIGHT_BLOCKS, MARGINS = 400, (5, 6, 8, 12), (0.0, 0.02)
MOST_PROMOTED, LEAST_COVERAGE, MOST_LEAK = 0.05, 0.9, 0.05
LEAKS = {  # devices, stretches of each, rows of each
    "1 device, 12 of 150 rows": (1, 12, 150),
    "1 device, 100 of 20 rows": (1, 100, 20),
    "8 devices, 50 of 8 rows": (8, 50, 8),
    "6 devices, 40 of 25 rows": (6, 40, 25),
}
LEAK_SEEDS = 24

Array = NDArray[np.float64]


def of_noise(seeds: Sequence[int]) -> Lines:
    """Tests random labels, in which a run must find nothing."""
    yield "## Random labels\n"
    yield "1,000 rows of three features with three labels at random, in order of time, and without time.\n"
    yield "| seed | with times | without |\n|---|---|---|"
    right = 0
    for seed in seeds:
        draw = np.random.default_rng(1_000 + seed)
        rows, labels = draw.random((1_000, 3)).tolist(), [f"m{code}" for code in draw.integers(1, 4, 1_000)]
        said = []
        for times in ([60_000 * i for i in range(1_000)], None):
            data = assemble(rows, labels, ("a", "b", "c"), "noise", 10_000, seed, times=times, calendar=False)
            said.append(train(data, ("lr", "nb", "dt"), seed).result.verdict["kind"])
        right += sum(each == "nothing_to_learn" for each in said)
        yield f"| {seed} | {said[0]} | {said[1]} |"
    yield ""
    total = 2 * len(seeds)
    yield Goal(
        "random labels are called nothing to learn", f"{total} of {total} runs", f"{right} of {total}", right == total
    )


def of_coverage(seeds: Sequence[int]) -> Lines:
    """Tests how often a 95 % interval contains the truth if errors come in runs."""
    held = {"blocks": 0, "rows": 0}
    blocks = np.repeat(np.arange(18), 60)
    by = {"blocks": Resamples.of(blocks), "rows": Resamples.of(np.arange(len(blocks)))}
    truth = float((_slow(np.random.default_rng(0), 400_000) < 0.8).mean())
    for seed in seeds:
        given = _in_runs(np.random.default_rng(seed), len(blocks))
        for name, resamples in by.items():
            low, high = intervals(given, resamples).of["Accuracy"] or (0.0, 1.0)
            held[name] += low <= truth <= high
    yield "## Intervals\n"
    yield f"{len(seeds)} sets of 1,080 answers in 18 blocks (seeds {seeds[0]} to {seeds[-1]}); whether an answer is"
    by_block, by_row = (held[name] / len(seeds) for name in ("blocks", "rows"))
    yield f"right has an autocorrelation of 0.95 from row to row. A 95 % interval holds the true accuracy ({truth:.3f})"
    yield f"in **{100 * by_block:.0f} %** of the sets by blocks, and in {100 * by_row:.0f} % by rows.\n"
    yield Goal(
        "intervals hold the truth where errors come in runs", f"at least 90 % of {len(seeds)} sets",
        f"{100 * by_block:.1f} % (by rows: {100 * by_row:.1f} %)", by_block >= LEAST_COVERAGE,
    )  # fmt: skip


def of_nights(seeds: Sequence[int]) -> Lines:
    """Tests promotion: every night a challenger that is only as good as the live model must not be promoted."""
    yield "## Nights without a better model\n"
    yield f"{len(seeds)} nights for each row: a challenger and a live model that are right equally often, with errors"
    yield "in runs (autocorrelation 0.95), judged on the same hold-out by the policy of the product; F1.\n"
    yield "| stretches of the hold-out | " + " | ".join(f"margin {margin:g}" for margin in MARGINS) + " |"
    yield "|---|" + "---|" * len(MARGINS)
    worst = 0.0
    for count in NIGHT_BLOCKS:
        resamples, promoted = Resamples.of(np.repeat(np.arange(count), 60)), dict.fromkeys(MARGINS, 0)
        for seed in seeds:
            draw = np.random.default_rng((seed, count))
            expected = (_slow(draw, count * 60) < 0.5).astype(np.int64)
            challenger, live = _right(draw, expected), _right(draw, expected)
            found = differences(challenger, live, resamples, ("F1",), few=True)["F1"]
            for margin in MARGINS:
                promoted[margin] += decide(_night(found.value, found.interval), margin, "live", 0)["promoted"]
        worst = max(worst, *(each / len(seeds) for each in promoted.values()))
        yield f"| {count} | " + " | ".join(f"{promoted[m]} ({promoted[m] / len(seeds):.1%})" for m in MARGINS) + " |"
    yield ""
    yield Goal(
        "promotions of a challenger that is no better", f"at most 5 % of {len(seeds)} nights",
        f"{100 * worst:.1f} % at most", worst <= MOST_PROMOTED,
    )  # fmt: skip


def _night(value: float | None, interval: tuple[float, float] | None) -> RunDocument:
    """Returns the parts of a run's document that the policy reads."""
    model = {"name": "challenger", "difference": {"F1": value}, "difference_intervals": {"F1": interval}}
    found = {
        "metric": "F1", "models": [model], "verdict": {"kind": "clear", "sentence": ""}, "holdout_rows": 1,
        "reference": {"name": "live", "note": None},
    }  # fmt: skip
    return cast(RunDocument, found)


def of_leak(seeds: Sequence[int]) -> Lines:
    """Tests a feature that names device and stretch: learning it tells nothing about another stretch."""
    yield "## A feature that names its stretch\n"
    yield f"A feature that is a hash of device and stretch, and a label at random for each stretch. {METRIC} of a tree"
    yield f"on the folds of the default, mean and standard error over {len(seeds)} seeds.\n"
    yield f"| stretches | {METRIC} |\n|---|---|"
    worst, is_met = 0.0, True
    for name, (devices, stretches, rows) in LEAKS.items():
        found = np.array([_leaked(seed, devices, stretches, rows) for seed in seeds])
        mean, error = float(found.mean()), float(found.std() / np.sqrt(len(found)))
        worst, is_met = max(worst, mean), is_met and mean - 2 * error <= MOST_LEAK
        yield f"| {name} | {mean:+.3f} ± {error:.3f} |"
    yield ""
    yield Goal("a feature that names its stretch scores as by chance", f"at most {MOST_LEAK}", f"{worst:.3f}", is_met)


def _leaked(seed: int, devices: int, stretches: int, rows: int) -> float:
    draw = np.random.default_rng(seed)
    stretch = np.repeat(np.arange(devices * stretches), rows)
    labels = draw.permutation(np.arange(devices * stretches) % 2)[stretch]
    values = np.stack([draw.random(devices * stretches)[stretch], draw.normal(size=len(stretch))], axis=1)
    data = assemble(
        values.tolist(), [f"c{label}" for label in labels], ("hash", "noise"), "leak", 100_000, seed,
        devices=[f"d{number // stretches}" for number in stretch] if devices > 1 else None,
        times=[60_000 * i for i in range(len(stretch))], calendar=False,
    )  # fmt: skip
    plan = split(known_of(data), "auto", None, None, seed)
    said = np.full(len(labels), -1, np.int64)
    for fold in range(plan.folds):
        here, rest = plan.tested == fold, (plan.tested >= 0) & (plan.tested != fold)
        said[here] = DecisionTreeClassifier(random_state=0).fit(values[rest], labels[rest]).predict(values[here])
    asked = said >= 0
    return scores(Answers(labels[asked], said[asked], None, ("a", "b"), "b"))[METRIC] or 0.0


def _in_runs(draw: np.random.Generator, rows: int) -> Answers:
    return _right(draw, (_slow(draw, rows) < 0.5).astype(np.int64))


def _right(draw: np.random.Generator, expected: NDArray[np.int64]) -> Answers:
    """Returns answers that are right in four of five rows, with errors in runs."""
    right = _slow(draw, len(expected)) < 0.8
    return Answers(expected, np.where(right, expected, 1 - expected), None, ("a", "b"), "b")


def _slow(draw: np.random.Generator, rows: int) -> Array:
    """Returns uniform numbers, each of which repeats the previous one with a probability of 0.95."""
    fresh = draw.random(rows) >= 0.95
    found: Array = draw.random(rows)[np.maximum.accumulate(np.where(fresh, np.arange(rows), 0))]
    return found
