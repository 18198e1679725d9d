"""Performance of a registry with many models in a folder: `python -m benchmarks.registry [--models N] [--json]`.

The models have real log entries and manifests, and placeholder files. The limits are requirements of the product.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from registry.log import checkpoint
from registry.log import entry as log_entry
from registry.log.fold import fold_all
from registry.log.state import State
from registry.model.manifest import Feature, Manifest, describe
from registry.registry import Model, Query, Registry
from registry.store import Folder
from zelador.model_metrics import METRICS

WARM_MS = 5.0
LIMITS = {
    "cold_s": 1.0,
    **dict.fromkeys(("warm_ms", "warm_new_query_ms", "warm_after_change_ms"), WARM_MS),
    "checkpoint_bytes": 1_000_000,
    "save_ms": 25.0,
}
SAVES, LISTS = 51, 51
KINDS = ("RandomForestClassifier", "LogisticRegression", "LGBMClassifier", "GaussianNB")

COLD = """
import sys, time
from registry.registry import Registry
from benchmarks.registry import listed
started = time.perf_counter()
registry = Registry.open(sys.argv[1])
found = listed(registry)
print(time.perf_counter() - started, len(found))
"""


def metadata(number: int) -> dict[str, Any]:
    """Metadata as the trainer writes it, without the parts that only a model card shows."""
    draw = random.Random(number)
    scores, holdout = ({name: round(draw.uniform(0.5, 1.0), 4) for name in METRICS} for _ in range(2))
    return {
        "model_type": KINDS[number % len(KINDS)],
        "metric": "F1",
        "metrics": scores,
        "holdout": holdout,
        "rank": number % 5 + 1,
        "run": f"20261124_{number // 5:06d}",
        "description": f"run of line {number % 12}",
        "data": {"rows": 4_000 + number // 5, "digest": hashlib.sha256(b"%d" % (number // 5)).hexdigest()},
        "versions": {"python": "3.11.7", "scikit-learn": "1.4.2", "numpy": "1.26.4", "skops": "0.16.0"},
        "features": ["lux", "temperature", "vibration"],
        "units": {"lux": "lx", "temperature": "°C", "vibration": "g"},
        "classes": ["no", "yes"],
        "served_by": "onnx",
    }


def fill(folder: Path, models: int) -> None:
    """Writes a log of `models` registrations, with checkpoints where writers would have made them.

    The files are written without fsync, which would take minutes and is not measured.
    """
    store = Folder(folder)
    Registry.on(store)
    first = store.read(log_entry.key(1)) or b""
    state = fold_all(State(), [(log_entry.decode(first, 1, None), log_entry.digest(first))])
    head, newest, pending = state.head, 0, []
    for number in range(models):
        op = {
            "op": "register",
            "name": f"{KINDS[number % len(KINDS)]}_{number:06d}",
            "upload": uuid.uuid4().hex,
            "digest": hashlib.sha256(b"%d" % number).hexdigest(),
            "metadata": metadata(number),
        }
        at = f"2026-11-{number % 28 + 1:02d}T12:00:{number % 60:02d}.000Z"
        entry = log_entry.Entry(number + 2, head, uuid.uuid4().hex, at, "benchmark", "", (op,))
        data = log_entry.encode(entry)
        (folder / log_entry.key(entry.seq)).write_bytes(data)
        head = log_entry.digest(data)
        pending.append((entry, head))
        if number < models - 1 and entry.seq - newest > max(checkpoint.MIN_TAIL, number / 8):
            state, pending = fold_all(state, pending), []
            checkpoint.write(store, state, Registry(store)._keyring)
            newest = state.seq


def listed(registry: Registry, minimum: float = 0.75) -> tuple[Model, ...]:
    """A typical query: models of one type with a minimum score, best first."""
    return registry.find(Query("-metrics.F1", (("model_type", KINDS[0]),), (("holdout.F1", minimum),)))


def measure(models: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="zelador-registry-") as name:
        folder = Path(name)
        fill(folder, models)
        Registry.open(folder)  # writes registry.json, as the last writer would have
        cold = []
        for _ in range(3):
            done = subprocess.run([sys.executable, "-c", COLD, name], capture_output=True, text=True, check=True)
            cold.append(float(done.stdout.split()[0]))
        registry = Registry.open(folder)
        warm = _median(lambda: listed(registry), LISTS)
        others = iter(range(10**6))
        new = _median(lambda: listed(registry, 0.7 + next(others) / 1000), LISTS)
        changed = statistics.median(_after_change(registry, number) for number in range(LISTS))
        newest = folder / checkpoint.key(checkpoint.numbers(registry._store)[0])
        checkpoint_bytes = len(checkpoint.encode(registry.state, registry._keyring))
        tail = registry.state.seq - int(newest.name[:8])
        save_full = _saves(registry)
    with tempfile.TemporaryDirectory(prefix="zelador-registry-") as name:
        save = _saves(Registry.open(name))
    return {
        "models": models,
        "cold_s": round(statistics.median(cold), 3),
        "cold_worst_s": round(max(cold), 3),
        "tail": tail,
        "warm_ms": round(warm * 1e3, 3),
        "warm_new_query_ms": round(new * 1e3, 3),
        "warm_after_change_ms": round(changed * 1e3, 3),
        "checkpoint_bytes": checkpoint_bytes,
        "save_ms": round(save * 1e3, 2),
        "save_among_many_ms": round(save_full * 1e3, 2),
    }


def _after_change(registry: Registry, number: int) -> float:
    """The time of the first query after a change, in seconds."""
    registry.tag(f"{KINDS[0]}_{number * len(KINDS):06d}", ["seen"], by="benchmark")
    started = time.perf_counter()
    listed(registry)
    return time.perf_counter() - started


def _saves(registry: Registry) -> float:
    files = {"model.skops": os.urandom(60_000), "golden.json": os.urandom(4_000)}
    features = (Feature("lux", "lx"), Feature("temperature", "°C"), Feature("vibration", "g"))
    digests = {path: describe(data) for path, data in files.items()}
    names = iter(range(10**6))

    def save() -> None:
        number = next(names)
        saved = Manifest(1, f"saved-{number}", features, ("no", "yes"), "pipeline", "", metadata(number), digests)
        registry.add(saved.name, files, saved, by="benchmark")

    return _median(save, SAVES)


def _median(act: Callable[[], object], times: int) -> float:
    durations = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def main() -> int:
    """Runs the benchmark. Returns 0 if all limits are met, 1 if one is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.models)
    exceeded = [name for name, limit in LIMITS.items() if found[name] > limit]
    if options.json:
        print(json.dumps({**found, "passed_limits": exceeded}))
    else:
        for name, value in found.items():
            limit = f"   at most {LIMITS[name]:g}" if name in LIMITS else ""
            print(f"{name:22} {value:>12}{limit}{'   EXCEEDED' if name in exceeded else ''}")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
