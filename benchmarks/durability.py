"""`python -m benchmarks.durability`: measures the cost of acknowledging a reading only once it is synced to the disk.

Runs the product with ZELADOR_REDIS__DURABILITY written and synced in turn, each with separate servers: the rate of a
closed loop, then the latency at PACED_PER_S readings a second. The data is in --folder: on tmpfs both cost the same.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

from benchmarks.end_to_end import PRODUCT
from benchmarks.load import BACKLOG
from benchmarks.run import Result, measured
from benchmarks.servers import Failed, Stack, check_programs, product, servers
from zelador.errors import Unavailable

MODES = ("written", "synced")
SLICE = 20_000  # readings of one closed loop
PACED_PER_S, PACED_S = 200, 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="closed loops of each (%(default)d)")
    parser.add_argument("--folder", type=Path, help="where the servers have their data: on the disk to be measured")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args()
    try:
        check_programs()
        with tempfile.TemporaryDirectory(prefix="zelador-bench-", dir=options.folder) as folder:
            found = run(Path(folder), options.rounds)
    except (Unavailable, Failed) as error:
        sys.exit(f"durability: {error}")
    for mode, figures in found.items():
        print(f"{mode:8}" + "".join(f"  {name} {value:>10,.1f}" for name, value in figures.items()))
    if options.json:
        print(json.dumps(found))


def run(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Runs both modes. Raises Failed if a reading is lost, repeated, or later than any limit."""
    from benchmarks.model import register  # imports the trainer

    registry = folder / "registry"
    model = register(registry)
    with contextlib.ExitStack() as ends:
        stacks: dict[str, Stack] = {}
        for mode in MODES:
            (folder / mode).mkdir()
            stacks[mode] = ends.enter_context(servers(folder / mode, mode))
            ends.enter_context(product(stacks[mode], registry, model, lane=True))
        first = 1
        rates: dict[str, list[float]] = {mode: [] for mode in MODES}
        paced: dict[str, tuple[float, ...]] = {}
        for mode in MODES * rounds:
            rates[mode].append(exact(measured_on(stacks[mode], first, SLICE + BACKLOG)).per_s)
            first += SLICE + BACKLOG
        for mode in MODES:
            count = PACED_PER_S * PACED_S
            paced[mode] = exact(measured_on(stacks[mode], first, count, PACED_PER_S)).latencies_ms
            first += count
    return {
        mode: {
            "per_s": median(rates[mode]),
            "p50_ms": median(paced[mode]),
            "p99_ms": quantiles(paced[mode], n=100)[98],
        }
        for mode in MODES
    }


def measured_on(stack: Stack, first: int, count: int, per_s: int | None = None) -> Result:
    latency = per_s is not None
    return measured(stack.folder, stack.mqtt_port, PRODUCT, stack.programs, first, count, per_s, latency)


def exact(result: Result) -> Result:
    if not result.exact:
        raise Failed(f"{result.lost} readings lost, {result.repeated} repeated, stalled: {result.stalled}")
    return result


if __name__ == "__main__":
    main()
