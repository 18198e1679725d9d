"""Does the evaluation tell the truth? Trains on known data, and asks what came later. `make evaluate` writes the page.

PyCaret is imported once, so that many runs fit into minutes. Each run is the trainer's own, without its processes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from command.demo.scenarios.by_name import scenario
from registry.evaluation.bootstrap import Resamples, intervals
from registry.evaluation.scores import Answers, scores
from registry.model import manifest
from registry.model.artifact import open_classifier
from trainer.dataset import Dataset, assemble
from trainer.evaluate.split import split
from trainer.run import request
from trainer.run.events import Result
from trainer.run.job import known_of, request_of
from trainer.run.options import Options
from trainer.run.reporter import Reporter
from trainer.source import from_files, query_for
from zelador.settings import load_settings
from zelador.table import Wanted

METRIC = "MCC"
CANDIDATES = ("lr", "qda", "knn", "rf")
PAGE = Path("docs/evaluation.md")
ROOMS = {
    "light, temperature": ("Light", "Temperature"),
    "temperature, humidity, CO2": ("Temperature", "Humidity", "CO2"),
    "light, temperature, CO2": ("Light", "Temperature", "CO2"),
}
PARTS = ("rooms", "machines", "noise", "coverage", "leak")
MACHINE_ROWS = 3_000
COVERAGE_SETS = 200
NOISE_SEEDS = 20


@dataclass(frozen=True, slots=True)
class Run:
    """A run's result, and the score of each of its models on rows of later days, by model type."""

    result: Result
    kind: str
    folds_by: str
    notes: list[str]
    later: dict[str, float | None]


def train(data: Dataset, candidates: Sequence[str], seed: int, later: Dataset | None = None) -> Run:
    from trainer.run import work

    settings = load_settings(training={"seed": seed, "candidates": ",".join(candidates)})
    options = Options("20260101_000000-0000", "benchmark", METRIC, tuple(candidates))
    known = known_of(data)
    plan = split(known, options.split, None, None, seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = request_of(data, settings, options, plan, None)
        request.write(folder, asked, data.rows, plan, known.devices, known.times)
        result = work.run(folder, Reporter(lambda _: None))
        found = {}
        for each in result.candidates if later is not None else ():
            found[each["model_type"]] = _score(folder / str(each["rank"]), later) if later is not None else None
    return Run(result, plan.kind, plan.folds_by, [*plan.notes, *result.notes], found)


def _score(folder: Path, later: Dataset) -> float | None:
    """Of a packed model, as a worker would serve it."""
    saved = msgspec.json.decode((folder / manifest.FILE).read_bytes(), type=manifest.Manifest)
    files = {path: (folder / path).read_bytes() for path in saved.files}
    answer = open_classifier(saved, "", files).classify(later.rows)
    return scores(Answers.of(later.labels, answer.labels, saved.classes, answer.probabilities))[METRIC]


def rooms(features: tuple[str, ...], file: str) -> Dataset:
    settings = load_settings(features=features)
    with resources.as_file(resources.files("command.demo.scenarios").joinpath("rooms", file)) as path:
        wanted = Wanted(features, "Occupancy", device=None, time="date", context=True)
        return from_files(path, settings, wanted, query_for(settings, {}))


def of_rooms(seeds: Sequence[int]) -> Iterator[str]:
    yield "## An office room: six days, and what three other days said\n"
    yield f"UCI Occupancy Detection; {METRIC}. Trained on `datatraining`, asked on `datatest`. "
    yield f"Candidates: {', '.join(CANDIDATES)}. One row for each model, of the first seed; below, all seeds.\n"
    for name, features in ROOMS.items():
        data, later = rooms(features, "datatraining.txt"), rooms(features, "datatest.txt")
        runs = [train(data, CANDIDATES, seed, later) for seed in seeds]
        yield f"### {name}\n"
        yield "| model | shuffled | default | 95 % interval | hold-out | later days |\n|---|---|---|---|---|---|"
        first = runs[0]
        for each in first.result.candidates:
            sure = each["intervals"][METRIC]
            span = "–" if sure is None else f"{sure[0]:.3f} – {sure[1]:.3f}"
            cells = (each["shuffled"].get(METRIC), each["metrics"][METRIC])
            shuffled, honest = (_shown(value) for value in cells)
            holdout, truth = _shown(each["holdout"][METRIC]), _shown(first.later[each["model_type"]])
            yield f"| {each['model_type']} | {shuffled} | **{honest}** | {span} | {holdout} | **{truth}** |"
        yield f"\n> {first.result.verdict['sentence']}\n"
        yield "| seed | verdict | taken | later days: taken, best | contradicted | in the interval |"
        yield "|---|---|---|---|---|---|"
        for seed, run in zip(seeds, runs, strict=True):
            yield _row(seed, run)
        yield ""


def _row(seed: int, run: Run) -> str:
    """A winner is contradicted if it was called clear, and another one is better on later days by more than 0.02."""
    taken = run.result.candidates[0]
    truth = {name: value if value is not None else 0.0 for name, value in run.later.items()}
    best, kind = max(truth.values()), run.result.verdict["kind"]
    wrong = kind == "clear" and truth[taken["model_type"]] < best - 0.02
    sure = taken["intervals"][METRIC]
    inside = sure is not None and sure[0] <= truth[taken["model_type"]] <= sure[1]
    return (
        f"| {seed} | {kind} | {taken['model_type']} | {truth[taken['model_type']]:.3f}, {best:.3f} | "
        f"{'**yes**' if wrong else 'no'} | {'yes' if inside else 'no'} |"
    )


def of_noise(seeds: Sequence[int]) -> Iterator[str]:
    """Random labels: nothing may be found in them."""
    yield "## Random labels\n"
    yield "1,000 rows of three features with three labels at random, in order of time, and without time.\n"
    yield "| seed | with times | without |\n|---|---|---|"
    for seed in seeds:
        draw = np.random.default_rng(1_000 + seed)
        rows, labels = draw.random((1_000, 3)).tolist(), [f"m{code}" for code in draw.integers(1, 4, 1_000)]
        said = []
        for times in ([60_000 * i for i in range(1_000)], None):
            data = assemble(rows, labels, ("a", "b", "c"), "noise", 10_000, seed, times=times, calendar=False)
            said.append(train(data, ("lr", "nb", "dt"), seed).result.verdict["kind"])
        yield f"| {seed} | {said[0]} | {said[1]} |"
    yield ""


def of_coverage(sets: int) -> Iterator[str]:
    """How often a 95 % interval holds the truth, where answers err in runs."""
    held = {"blocks": 0, "rows": 0}
    blocks = np.repeat(np.arange(18), 60)
    by = {"blocks": Resamples.of(blocks), "rows": Resamples.of(np.arange(len(blocks)))}
    truth = _accuracy(np.random.default_rng(0), 400_000)
    for seed in range(sets):
        given = _in_runs(np.random.default_rng(seed + 1), len(blocks))
        for name, resamples in by.items():
            low, high = intervals(given, resamples).of["Accuracy"] or (0.0, 1.0)
            held[name] += low <= truth <= high
    yield "## Intervals\n"
    yield f"{sets} sets of 1,080 answers in 18 blocks; whether an answer is right has an autocorrelation of 0.95 from"
    by_block, by_row = (100 * held[name] / sets for name in ("blocks", "rows"))
    yield f"row to row. A 95 % interval holds the true accuracy ({truth:.3f}) in **{by_block:.0f} %** of the sets by"
    yield f"blocks, and in {by_row:.0f} % by rows.\n"


def _in_runs(draw: np.random.Generator, rows: int) -> Answers:
    right, expected = _slow(draw, rows) < 0.8, (_slow(draw, rows) < 0.5).astype(np.int64)
    return Answers(expected, np.where(right, expected, 1 - expected), None, ("a", "b"), "b")


def _accuracy(draw: np.random.Generator, rows: int) -> float:
    return float((_slow(draw, rows) < 0.8).mean())


def _slow(draw: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """Uniform numbers that stay as they are with a probability of 0.95."""
    fresh = draw.random(rows) >= 0.95
    found: NDArray[np.float64] = draw.random(rows)[np.maximum.accumulate(np.where(fresh, np.arange(rows), 0))]
    return found


def of_leak(seeds: Sequence[int]) -> Iterator[str]:
    """A feature that names device and block: what is learned of it says nothing of another block."""
    yield "## A feature that names its block\n"
    yield "Four devices with six blocks of 100 rows; in half of the blocks a label has nine rows of ten, else one."
    yield "One feature is a hash of device and block.\n"
    yield f"| seed | verdict | best {METRIC} in the default | shuffled |\n|---|---|---|---|"
    bests = []
    for seed in seeds:
        draw = np.random.default_rng(seed)
        block = np.repeat(np.arange(24), 100)
        often = draw.permutation(np.arange(24) % 2)[block] * 0.8 + 0.1
        labels = [f"c{int(is_one)}" for is_one in draw.random(len(block)) < often]
        rows = np.stack([draw.random(24)[block], draw.normal(size=len(block))], axis=1).tolist()
        devices, times = [f"d{number // 6}" for number in block], [60_000 * i for i in range(len(block))]
        data = assemble(
            rows, labels, ("hash", "noise"), "leak", 10_000, seed, devices=devices, times=times, calendar=False
        )
        run = train(data, ("lr", "knn", "dt"), seed)
        usable = [row for row in run.result.leaderboard if row["id"] != "dummy"]
        bests.append(max(row["metrics"][METRIC] or 0.0 for row in usable))
        loose = max(row["shuffled"].get(METRIC) or 0.0 for row in usable)
        yield f"| {seed} | {run.result.verdict['kind']} | {bests[-1]:.3f} | {loose:.3f} |"
    yield f"| mean | | {np.mean(bests):.3f} | |\n"


def of_machines(seeds: Sequence[int]) -> Iterator[str]:
    """The simulated machines: trained on two thirds of them, asked on the others."""
    yield "## Simulated machines, and machines that were not there\n"
    yield f"{METRIC}. Trained on two thirds of the machines of the demo, asked on the others, which differ by seed.\n"
    yield "| seed | split, folds by | verdict | taken | default | 95 % interval | other machines | in the interval |"
    yield "|---|---|---|---|---|---|---|---|"
    samples = scenario("machines").history[:MACHINE_ROWS]
    names = sorted({sample.device_id for sample in samples})
    features = ("lux", "temperature", "vibration")
    for seed in seeds:
        known = set(np.random.default_rng(seed).permutation(names)[: round(len(names) * 2 / 3)].tolist())
        parts = []
        for inside in (True, False):
            kept = [sample for sample in samples if (sample.device_id in known) == inside]
            parts.append(
                assemble(
                    [[sample.values[name] for name in features] for sample in kept], [str(s.label) for s in kept],
                    features, "machines", 100_000, seed, devices=[sample.device_id for sample in kept],
                    times=[_millis(sample.measured_at or "") for sample in kept],
                )
            )  # fmt: skip
        run = train(parts[0], CANDIDATES, seed, parts[1])
        taken = run.result.candidates[0]
        truth, sure = run.later[taken["model_type"]], taken["intervals"].get(METRIC)
        span = "cannot be told" if sure is None else f"{sure[0]:.3f} – {sure[1]:.3f}"
        inside_it = "–" if sure is None or truth is None else "yes" if sure[0] <= truth <= sure[1] else "**no**"
        yield (
            f"| {seed} | {run.kind}, {run.folds_by} | {run.result.verdict['kind']} | {taken['model_type']} | "
            f"{_shown(taken['metrics'][METRIC])} | {span} | **{_shown(truth)}** | {inside_it} |"
        )
    yield ""


def _millis(measured_at: str) -> int:
    return round(datetime.fromisoformat(measured_at).timestamp() * 1_000)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three seeds, few sets; writes no page")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated; writes no page")
    parser.add_argument("--seeds", type=int, default=10, help="of rooms, machines and leak (10)")
    parser.add_argument("--noise-seeds", type=int, default=NOISE_SEEDS, help=f"of random labels ({NOISE_SEEDS})")
    asked = parser.parse_args()
    count = 3 if asked.quick else asked.seeds
    noise, sets = (3, 40) if asked.quick else (asked.noise_seeds, COVERAGE_SETS)
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "rooms": lambda: of_rooms(range(count)),
        "machines": lambda: of_machines(range(count)),
        "noise": lambda: of_noise(range(noise)),
        "coverage": lambda: of_coverage(sets),
        "leak": lambda: of_leak(range(count)),
    }
    began = time.process_time()
    lines = ["# Evaluation: what was promised, and what came later\n"]
    for name in PARTS:
        if asked.only is None or name in asked.only:
            for line in parts[name]():
                lines.append(line)
                print(line, flush=True)
    took = time.process_time() - began
    print(f"{took:.0f} s of CPU")
    lines.insert(
        1,
        f"Made by `make evaluate`, with {count} seeds of each data set, {noise} of random labels, and {sets} simulated "
        f"sets; it took {took / 60:.0f} minutes of CPU. A winner is *contradicted* if it was called clear and another "
        "model was better by more than 0.02 on later days.\n",
    )
    if not asked.quick and asked.only is None:
        PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
