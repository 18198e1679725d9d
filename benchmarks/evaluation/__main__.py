"""`make evaluate`: runs all parts, and writes their page."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.evaluation.goal import Goal, Lines
from benchmarks.evaluation.kinds import of_kinds
from benchmarks.evaluation.machines import of_machines
from benchmarks.evaluation.rooms import of_rooms
from benchmarks.evaluation.simulated import LEAK_SEEDS, NIGHTS, of_coverage, of_leak, of_nights, of_noise

PAGE = Path("docs/evaluation.md")
COVERAGE_SETS, NOISE_SEEDS, KIND_SEEDS = 200, 20, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three seeds, few sets; writes no page")
    parser.add_argument("--only", action="append", help="a part; may be repeated; writes no page")
    parser.add_argument("--seeds", type=int, default=10, help="of rooms and machines (10)")
    parser.add_argument("--noise-seeds", type=int, default=NOISE_SEEDS, help=f"of random labels ({NOISE_SEEDS})")
    parser.add_argument("--kind-seeds", type=int, default=KIND_SEEDS, help=f"of data of many kinds ({KIND_SEEDS})")
    parser.add_argument("--first", type=int, default=0, help="the first seed of each part (0)")
    asked = parser.parse_args()
    first = asked.first

    def seeds(count: int, quick: int) -> range:
        return range(first, first + (quick if asked.quick else count))

    parts: dict[str, Callable[[], Lines]] = {
        "coverage": lambda: of_coverage(seeds(COVERAGE_SETS, 40)),
        "nights": lambda: of_nights(seeds(NIGHTS, 60)),
        "leak": lambda: of_leak(seeds(LEAK_SEEDS, 4)),
        "noise": lambda: of_noise(seeds(asked.noise_seeds, 3)),
        "rooms": lambda: of_rooms(seeds(asked.seeds, 3)),
        "machines": lambda: of_machines(seeds(asked.seeds, 3)),
        "kinds": lambda: of_kinds(seeds(asked.kind_seeds, 1)),
    }
    if unknown := set(asked.only or ()) - set(parts):
        parser.error(f"there is no part {sorted(unknown)[0]!r}; choose from {', '.join(parts)}")
    began = time.process_time()
    lines: list[str] = []
    goals: list[Goal] = []
    for name in asked.only or parts:
        for line in parts[name]():
            if isinstance(line, Goal):
                goals.append(line)
            else:
                lines.append(line)
                print(line, flush=True)
    took = time.process_time() - began
    summary = _goals(goals)
    print("\n".join(summary), f"\n{took:.0f} s of CPU")
    if not asked.quick and asked.only is None:
        head = [
            "# Evaluation: what was promised, and what came later\n",
            f"Made by one `make evaluate` in {took / 60:.0f} minutes of CPU, with the seeds from {first} on. A winner "
            "is *contradicted* if it was called clear and another model was better by more than 0.02 on later rows.\n",
        ]
        PAGE.write_text("\n".join([*head, *summary, *lines]).rstrip() + "\n", encoding="utf-8")


def _goals(goals: list[Goal]) -> list[str]:
    rows = [f"| {goal.what} | {goal.wanted} | {goal.found} | {'yes' if goal.is_met else '**no**'} |" for goal in goals]
    return ["## Goals\n", "| what | goal | found | met |\n|---|---|---|---|", *rows, ""]


if __name__ == "__main__":
    main()
