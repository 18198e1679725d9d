"""The simulated machines of the demo: trained on two thirds of them, tested on the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from benchmarks.evaluation.goal import Goal, Lines, shown
from benchmarks.evaluation.train import CANDIDATES, METRIC, train
from command.demo.scenarios.by_name import scenario
from trainer.dataset import Dataset, assemble

ROWS = 3_000
FEATURES = ("lux", "temperature", "vibration")


def of_machines(seeds: Sequence[int]) -> Lines:
    yield "## Simulated machines, and machines that were not there\n"
    yield f"{METRIC}. Trained on two thirds of the machines of the demo, asked on the others, which differ by seed.\n"
    yield "| seed | split, folds by | verdict | taken | default | 95 % interval | other machines | in the interval |"
    yield "|---|---|---|---|---|---|---|---|"
    samples = scenario("machines").history[:ROWS]
    names = sorted({sample.device_id for sample in samples})
    held = 0
    for seed in seeds:
        known = set(np.random.default_rng(seed).permutation(names)[: round(len(names) * 2 / 3)].tolist())
        parts: list[Dataset] = []
        for is_known in (True, False):
            kept = [sample for sample in samples if (sample.device_id in known) == is_known]
            parts.append(
                assemble(
                    [[sample.values[name] for name in FEATURES] for sample in kept], [str(s.label) for s in kept],
                    FEATURES, "machines", 100_000, seed, devices=[sample.device_id for sample in kept],
                    times=[_millis(sample.measured_at or "") for sample in kept],
                )
            )  # fmt: skip
        run = train(parts[0], CANDIDATES, seed, parts[1])
        taken = run.result.candidates[0]
        truth, sure = run.later[taken["model_type"]], taken["intervals"].get(METRIC)
        span = "cannot be told" if sure is None else f"{sure[0]:.3f} – {sure[1]:.3f}"
        inside = sure is None or truth is None or sure[0] <= truth <= sure[1]
        held += inside
        yield (
            f"| {seed} | {run.kind}, {run.folds_by} | {run.result.verdict['kind']} | {taken['model_type']} | "
            f"{shown(taken['metrics'][METRIC])} | {span} | **{shown(truth)}** | {'yes' if inside else '**no**'} |"
        )
    yield ""
    yield Goal(
        "the interval holds the score of other machines, or it cannot be told", f"{len(seeds)} of {len(seeds)} runs",
        f"{held} of {len(seeds)}", held == len(seeds),
    )  # fmt: skip


def _millis(measured_at: str) -> int:
    return round(datetime.fromisoformat(measured_at).timestamp() * 1_000)
