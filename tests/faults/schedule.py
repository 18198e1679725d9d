"""The schedule of faults, drawn from a seed, so that a run can be repeated. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["kill", "standstill", "reset", "stall"]

WHOLE_S = 5.0  # no faults at the beginning and the end, so that measurements can start
AWAY_S = (0.2, 2.0)  # until a killed process is started again: a supervisor's first back-offs
LASTS_S = (0.5, 4.0)  # a standstill, a stall: both sides of Redis's time limit
OTHERS = 0.7  # how often another fault comes between two kills


@dataclass(frozen=True, slots=True)
class Fault:
    """`target` is a process, or the two ends of a wire. A killed process is started again after `lasts_s`.

    `held` is the wire on which it sends its work: stalled for a moment before the kill, and cut afterwards.
    A kill at a random moment rarely falls between two system calls; this one does.
    """

    at_s: float
    kind: Kind
    target: tuple[str, ...]
    lasts_s: float = 0.0
    held: tuple[str, str] | None = None


def schedule(
    seed: int,
    seconds: float,
    kills: int,
    processes: Sequence[str],
    wires: Sequence[tuple[str, str]],
    others: bool = True,
    work: Mapping[str, tuple[str, str]] | None = None,
) -> list[Fault]:
    """`kills` SIGKILLs, spread over the time with a jitter; each process at least once if there are enough of them.

    `work` names the wire by which a process's work goes out: it is held at every second kill, from the first on.
    """
    draw = random.Random(seed)
    targets = [*processes] * (kills // len(processes)) if kills >= len(processes) else []
    targets = targets[:kills] + [draw.choice(processes) for _ in range(kills - len(targets))]
    draw.shuffle(targets)
    slot = (seconds - 2 * WHOLE_S) / max(kills, 1)
    faults = []
    for number in range(max(kills, 1)):
        begin = WHOLE_S + number * slot
        if number < kills:
            at = begin + draw.uniform(0.0, 0.5) * slot
            name = targets[number]
            held = (work or {}).get(name) if targets[:number].count(name) % 2 == 0 else None
            faults.append(Fault(at, "kill", (name,), draw.uniform(*AWAY_S), held))
        if others and draw.random() < OTHERS:
            faults.append(_other(draw, begin + draw.uniform(0.5, 1.0) * slot, processes, wires))
    return sorted(faults, key=lambda fault: fault.at_s)


def _other(draw: random.Random, at_s: float, processes: Sequence[str], wires: Sequence[tuple[str, str]]) -> Fault:
    kind: Kind = draw.choice(("standstill", "reset", "stall"))
    target: tuple[str, ...] = (draw.choice(processes),) if kind == "standstill" else draw.choice(wires)
    return Fault(at_s, kind, target, 0.0 if kind == "reset" else draw.uniform(*LASTS_S))
