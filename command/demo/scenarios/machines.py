"""Simulated machines that wear out. Not measured data, but a generative model with known causes.

Each machine has a hidden wear w that rises from 0 to 1 and returns to 0 when the machine is
maintained (at w = 1). At each sample, with load u ~ Beta(4, 2), time of day t in hours:

    vibration   = 0.25 + 0.35 u + 1.9 w^3  times a log-normal factor (sigma 0.16)      [g RMS]
    temperature = 19 + 4 sin(2 pi (t - 9) / 24) + 22 u + 14 w^2  plus normal noise (sigma 1.8)   [°C]
    lux         = 420 during the shift (06 to 22 h), 35 at night, times a log-normal factor (sigma 0.25);
                  2.2 times brighter when the housing is open, which happens more often as w grows  [lx]
    label       = "yes" (needs maintenance) with probability logistic(26 (w - 0.72)), else "no"

The label is drawn at random and w is not a feature, so no classifier can be right every time.
About a quarter of the labels are "yes".
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice

from command.demo.scenarios.scenario import Sample, Scenario

MACHINES = ("press-01", "press-02", "mill-01", "mill-02", "conveyor-01", "conveyor-02", "pump-01", "pump-02")
HISTORY = 2_400
LIVE = 20_000
STEP_MIN = 15  # minutes between two samples of a machine
LIFE_SAMPLES = 220  # samples from maintenance to w = 1, on average
FAILING = "press-01"  # not maintained in the live part; the other machines are maintained early
EARLY = 0.6  # the wear at which a machine is maintained early
EARLY_SAMPLES = 320  # at the end of the history, in which all machines are maintained early
FRESH = 0.35  # the wear of FAILING when the live part begins


def scenario(seed: int = 7) -> Scenario:
    samples = simulate(seed, HISTORY)
    history = list(islice(samples, HISTORY))
    live = [Sample(s.device_id, s.values, s.label) for s in islice(samples, LIVE)]
    about = "simulated machines that wear out (not a real plant): does the machine need maintenance?"
    units = {"lux": "lx", "temperature": "°C", "vibration": "g"}
    return Scenario("machines", about, tuple(units), history, live, units)


def simulate(seed: int, failing_after: int | None = None) -> Iterator[Sample]:
    """Yields samples of all machines in turn, without end. Equal seeds give equal samples.

    After `failing_after` samples, FAILING wears out and is not maintained. The other machines are maintained early, and
    so are all machines in the EARLY_SAMPLES before, so that only FAILING goes into alarm.
    """
    draw = random.Random(seed)
    wear = {machine: draw.random() for machine in MACHINES}
    now, count = datetime(2026, 1, 5, tzinfo=timezone.utc), 0
    while True:
        for machine in MACHINES:
            yield _sample(machine, wear[machine], now, draw)
            count += 1
            wear[machine] += draw.uniform(0.4, 1.6) / LIFE_SAMPLES
            if failing_after is not None and count == failing_after:
                wear[FAILING] = min(wear[FAILING], FRESH)
            if failing_after is not None and count >= failing_after and machine == FAILING:
                wear[machine] = min(wear[machine], 1.0)
            elif (
                failing_after is not None and count >= failing_after - EARLY_SAMPLES and wear[machine] >= EARLY
            ) or wear[machine] >= 1.0:
                wear[machine] = 0.0
        now += timedelta(minutes=STEP_MIN)


def _sample(machine: str, wear: float, now: datetime, draw: random.Random) -> Sample:
    hour = now.hour + now.minute / 60
    load = draw.betavariate(4, 2)
    vibration = (0.25 + 0.35 * load + 1.9 * wear**3) * draw.lognormvariate(0, 0.16)
    temperature = 19 + 4 * math.sin(2 * math.pi * (hour - 9) / 24) + 22 * load + 14 * wear**2 + draw.gauss(0, 1.8)
    lux = (420 if 6 <= hour < 22 else 35) * draw.lognormvariate(0, 0.25)
    if draw.random() < 0.02 + 0.25 * wear**2:
        lux *= 2.2
    needs_maintenance = draw.random() < 1 / (1 + math.exp(-26 * (wear - 0.72)))
    values = {"lux": round(lux, 1), "temperature": round(temperature, 2), "vibration": round(vibration, 3)}
    return Sample(machine, values, "yes" if needs_maintenance else "no", now.isoformat())
