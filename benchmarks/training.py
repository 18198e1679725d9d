"""Compares the cost of a run with bare PyCaret: `setup` and `compare_models` on the same rows, folds and candidates.

Each side runs in a separate process, after its imports, so that their memory can be told apart. The comparison with
a shuffled split, which PyCaret does not have, and the report are measured but not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TypedDict

import numpy as np

from trainer.dataset import Dataset, assemble

ROWS, WHOLE_ROWS = 50_000, 10_000
MOST_TIME = MOST_MEMORY = 1.25  # times PyCaret's
MOST_WHOLE_S = 90.0  # of a complete run on WHOLE_ROWS rows
QUICK = ("lr", "nb", "dt", "ridge", "lda", "qda", "knn")
TIMEOUT_S = 3_600.0


class Cost(TypedDict):
    """`cpu` and `wall` are seconds after the imports, `peak_mb` is the largest memory of the process.

    Those of the comparison alone end with `_compare`.
    """

    cpu: float
    wall: float
    peak_mb: float
    cpu_compare: float
    wall_compare: float
    peak_mb_compare: float
    shuffled: float


Point = tuple[float, float, float]  # wall, CPU, memory


def data(rows: int, seed: int = 7) -> Dataset:
    """Returns machines with states that last, and a label that depends on two of three features."""
    draw = np.random.default_rng(seed)
    devices = np.arange(rows) % 10
    state = (np.arange(rows) // 400 + devices) % 3 == 0
    values = np.stack(
        [draw.normal(400, 90, rows), 40 + 12 * state + draw.normal(0, 6, rows), 0.4 + state * draw.random(rows)], axis=1
    )
    labels = ["yes" if each else "no" for each in state]
    return assemble(
        values.tolist(), labels, ("lux", "temperature", "vibration"), "benchmark", rows, seed,
        devices=[f"m{number}" for number in devices], times=[1_000 * i for i in range(rows)], calendar=False,
    )  # fmt: skip


def now() -> Point:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.perf_counter(), time.process_time(), peak


def of_pycaret(rows: int, candidates: tuple[str, ...] | None) -> tuple[Point, Point, float]:
    import pandas as pd
    from pycaret.classification import ClassificationExperiment
    from sklearn.model_selection import PredefinedSplit

    from trainer.compare.pycaret_compare import BY_REQUEST
    from trainer.evaluate.split import split
    from trainer.run.job import known_of

    given = data(rows)
    known = known_of(given)
    plan = split(known, "auto", None, None, 7)
    frame = pd.DataFrame(given.rows, columns=list(given.features))
    frame["target"] = known.labels
    began = now()
    experiment = ClassificationExperiment()
    experiment.setup(
        frame[plan.training], test_data=frame[plan.holdout], target="target", index=False, session_id=7, n_jobs=1,
        fold_strategy=PredefinedSplit(plan.tested[plan.training]), system_log=False, html=False, verbose=False,
    )  # fmt: skip
    chosen = {"include": list(candidates)} if candidates else {"exclude": list(BY_REQUEST)}
    experiment.compare_models(n_select=5, turbo=True, verbose=False, **chosen)
    return began, now(), 0.0


def of_zelador(rows: int, candidates: tuple[str, ...] | None) -> tuple[Point, Point, float]:
    """The run's work in this process, complete with its reports."""
    from trainer.evaluate.split import split
    from trainer.run import request, work
    from trainer.run.events import CandidateEnded
    from trainer.run.job import known_of, request_of
    from trainer.run.options import Options
    from trainer.run.reporter import Reporter
    from zelador.settings import load_settings

    given = data(rows)
    known = known_of(given)
    began, compared = now(), list[Point]()
    plan = split(known, "auto", None, None, 7)
    options = Options("20260101_000000-0000", "benchmark", "F1", candidates)
    with tempfile.TemporaryDirectory() as name:
        asked = request_of(given, load_settings(), options, plan, None)
        request.write(Path(name), asked, given.rows, plan, known.devices, known.times)
        found = work.run(
            Path(name), Reporter(lambda each: compared.append(now()) if isinstance(each, CandidateEnded) else None)
        )
    return began, compared[-1], found.seconds["shuffled"]


def measure(side: str, rows: int, candidates: tuple[str, ...] | None) -> Cost:
    command = [sys.executable, "-m", "zelador.libgomp", "-m", "benchmarks.training", "--side", side]
    command += ["--rows", str(rows), *(["--candidates", ",".join(candidates)] if candidates else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed: {done.stderr[-2000:]}")
    cost: Cost = json.loads(done.stdout.strip().splitlines()[-1])
    return cost


def one_side(side: str, rows: int, candidates: tuple[str, ...] | None) -> Cost:
    warnings.simplefilter("ignore")
    import trainer.run.work  # noqa: F401 - imports PyCaret, which both sides need

    began, compared, shuffled = (of_pycaret if side == "pycaret" else of_zelador)(rows, candidates)
    ended = now()
    return Cost(
        cpu=round(ended[1] - began[1], 1),
        wall=round(ended[0] - began[0], 1),
        peak_mb=round(ended[2]),
        cpu_compare=round(compared[1] - began[1], 1),
        wall_compare=round(compared[0] - began[0], 1),
        peak_mb_compare=round(compared[2]),
        shuffled=round(shuffled, 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--whole-rows", type=int, default=WHOLE_ROWS, help="0: no complete run of all candidates")
    parser.add_argument("--candidates", help="PyCaret ids, separated by commas; default: its turbo mode")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}; no complete run")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=("pycaret", "zelador"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    candidates = tuple(asked.candidates.split(",")) if asked.candidates else QUICK if asked.quick else None
    if asked.side:
        print(json.dumps(one_side(asked.side, asked.rows, candidates)))
        return
    bare, ours = (measure(side, asked.rows, candidates) for side in ("pycaret", "zelador"))
    took = ours["cpu_compare"] / bare["cpu_compare"]
    memory = ours["peak_mb_compare"] / bare["peak_mb_compare"]
    found = {"rows": asked.rows, "pycaret": bare, "zelador": ours, "times": round(took, 2), "memory": round(memory, 2)}
    lines = [
        f"{asked.rows:,} rows of 3 features, {'all' if candidates is None else len(candidates)} candidates, same folds",
        f"  bare PyCaret: {bare['cpu']:.1f} s of CPU ({bare['wall']:.1f} s), {bare['peak_mb']:.0f} MB",
        f"  Zelador compares in {ours['cpu_compare']:.1f} s of CPU ({ours['wall_compare']:.1f} s), "
        f"{ours['peak_mb_compare']:.0f} MB",
        f"  that is {took:.2f} times the CPU time (goal {MOST_TIME}) and {memory:.2f} times the memory (goal "
        f"{MOST_MEMORY})",
        f"  not counted: {ours['shuffled']:.1f} s for the shuffled comparison; the whole run, with its models and "
        f"reports, took {ours['cpu']:.1f} s of CPU ({ours['wall']:.1f} s), {ours['peak_mb']:.0f} MB",
    ]
    if asked.whole_rows and not asked.quick:
        whole = measure("zelador", asked.whole_rows, None)
        found["whole"] = {"rows": asked.whole_rows, **whole}
        lines.append(
            f"{asked.whole_rows:,} rows, all candidates, complete with reports: {whole['wall']:.1f} s "
            f"(goal {MOST_WHOLE_S:.0f}), {whole['cpu']:.1f} s of CPU"
        )
    print(json.dumps(found) if asked.json else "\n".join(lines))


if __name__ == "__main__":
    main()
