"""Data of many kinds, each with later data. The interval must contain the later score, or a note must say why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.goal import Goal, Lines
from benchmarks.evaluation.train import METRIC, Run, train
from trainer.dataset import Dataset, assemble
from zelador.errors import InvalidInput

CANDIDATES = ("lr", "nb", "knn", "dt")
FEATURES = ("a", "b", "c")
LEAD = 0.02
LEAST_HELD = 0.9

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    values: Array
    labels: Codes
    devices: list[str] | None = None
    times: Codes | None = None

    def data(self, seed: int) -> Dataset:
        return assemble(
            self.values.tolist(), [f"c{label}" for label in self.labels], FEATURES, "kinds", 200_000, seed,
            devices=self.devices, times=None if self.times is None else self.times.tolist(), calendar=False,
        )  # fmt: skip

    def at(self, rows: slice | Codes) -> Rows:
        devices = None if self.devices is None else np.array(self.devices)[rows].tolist()
        return Rows(self.values[rows], self.labels[rows], devices, None if self.times is None else self.times[rows])


Make = Callable[[np.random.Generator], tuple[Rows, Rows]]  # the data to learn from, and the later data


def slow(draw: np.random.Generator, rows: int, memory: float = 0.97) -> Array:
    """Returns readings that resemble the previous ones, with a standard deviation of 1."""
    found = draw.normal(size=(rows, 3))
    found[1:] *= np.sqrt(1 - memory**2)
    for row in range(1, rows):
        found[row] += memory * found[row - 1]
    return found


def states(draw: np.random.Generator, rows: int, shares: Sequence[float], mean: float) -> Codes:
    """Returns states that last for about `mean` rows."""
    found, at = np.zeros(rows, np.int64), 0
    while at < rows:
        length = max(1, int(draw.exponential(mean)))
        found[at : at + length] = draw.choice(len(shares), p=shares)
        at += length
    return found


def device(
    draw: np.random.Generator, rows: int, classes: int = 2, mean: float = 60, apart: float = 1.2, own: float = 0.0,
    rare: float | None = None, memory: float = 0.97,
) -> Rows:  # fmt: skip
    """Returns a device whose readings depend on its state; `own` is the device's own offset."""
    shares = [1 / classes] * classes if rare is None else [1 - rare, rare]
    of = states(draw, rows, shares, mean)
    centers = np.random.default_rng(99).normal(size=(classes, 3))
    values = apart * centers[of] + own * draw.normal(size=3) + slow(draw, rows, memory)
    return Rows(values, of, None, np.arange(rows) * 60_000)


def fleet(draw: np.random.Generator, count: int, rows: int, own: float, first: str = "m") -> Rows:
    parts = [device(draw, rows, mean=50, own=own) for _ in range(count)]
    return Rows(
        np.vstack([part.values for part in parts]), np.concatenate([part.labels for part in parts]),
        [f"{first}{number}" for number in range(count) for _ in range(rows)],
        np.tile(np.arange(rows) * 60_000, count),
    )  # fmt: skip


def cut(rows: Rows, count: int) -> tuple[Rows, Rows]:
    return rows.at(slice(0, count)), rows.at(slice(count, None))


def new_machines(count: int, own: float) -> Make:
    return lambda draw: (fleet(draw, count, max(150, 2_400 // count), own), fleet(draw, 40, 150, own, "n"))


def named_by_device(draw: np.random.Generator) -> tuple[Rows, Rows]:
    def made(count: int) -> Rows:
        labels = np.repeat(np.arange(count) % 2, 200)
        values = np.vstack(
            [np.array([0.8 * (n % 2), 0, 0]) + draw.normal(size=3) + slow(draw, 200) for n in range(count)]
        )
        return Rows(values, labels, [f"m{n}" for n in range(count) for _ in range(200)], np.tile(np.arange(200), count))

    return made(14), made(60)


def recordings(count: int, rows: int) -> Make:
    def made(draw: np.random.Generator, count: int, rows: int) -> Rows:
        centers = np.random.default_rng(5).normal(size=(3, 3))
        parts = [centers[n % 3] + 0.8 * draw.normal(size=3) + 0.4 * slow(draw, rows, 0.9) for n in range(count)]
        times = np.concatenate([n * 20_000_000 + np.arange(rows) * 1_000 for n in range(count)])
        return Rows(np.vstack(parts), np.repeat(np.arange(count) % 3, rows), None, times)

    return lambda draw: (made(draw, count, rows), made(draw, 90, 30))


def drifting(draw: np.random.Generator) -> tuple[Rows, Rows]:
    found = device(draw, 6_000, mean=100)
    found.values[:, 0] += np.linspace(0, 1.0, 6_000)
    return cut(found, 3_000)


def counted(draw: np.random.Generator) -> tuple[Rows, Rows]:
    """Returns data with a feature that counts, so that it reveals when a reading was made."""
    found = device(draw, 6_000, mean=150)
    found.values[:, 0] = np.arange(6_000)
    return cut(found, 3_000)


def joined(draw: np.random.Generator, times: bool) -> tuple[Rows, Rows]:
    """Returns a table that has each row four times."""
    values = draw.normal(size=(6_000, 3))
    found = Rows(values, (values[:, 0] + draw.normal(size=6_000) > 0).astype(np.int64))
    again = found.at(np.tile(np.arange(400), 4) if times else draw.permutation(np.repeat(np.arange(400), 4)))
    known = Rows(again.values, again.labels, None, np.arange(1_600) * 60_000 if times else None)
    return known, found.at(slice(400, None))


def mounted_again(draw: np.random.Generator) -> tuple[Rows, Rows]:
    """Returns data of a device whose sensors were mounted again, with another offset and gain, half way."""
    found = device(draw, 6_000, mean=100)
    found.values[1_250:] = found.values[1_250:] * np.exp(0.2 * draw.normal(size=3)) + 0.5 * draw.normal(size=3)
    return cut(found, 2_500)


def work_orders(draw: np.random.Generator) -> tuple[Rows, Rows]:
    """Returns data whose labels are from work orders: they begin late, and end long after the repair."""
    found = device(draw, 8_000, mean=100)
    labels = np.zeros_like(found.labels)
    edges = np.flatnonzero(np.diff(found.labels, prepend=0, append=0))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        length = end - begin
        labels[begin + int(length * draw.uniform(0, 0.5)) : end + int(length * draw.uniform(0, 0.7))] = 1
    return cut(Rows(found.values, labels, None, found.times), 3_000)


def two_plants(draw: np.random.Generator) -> tuple[Rows, Rows]:
    """Returns devices of two plants, one of which has few faults and another climate; later, other devices of both."""

    def made(first: str, count: int, rare: float, climate: float) -> Rows:
        parts = [device(draw, 300, mean=40, own=0.4, rare=rare) for _ in range(count)]
        names = [f"{first}{number}" for number in range(count) for _ in range(300)]
        return Rows(
            np.vstack([part.values for part in parts]) + climate, np.concatenate([part.labels for part in parts]),
            names, np.tile(np.arange(300) * 60_000, count),
        )  # fmt: skip

    return (
        joined_rows(made("a", 6, 0.1, 0.0), made("b", 6, 0.5, 0.7)),
        joined_rows(made("c", 20, 0.1, 0.0), made("d", 20, 0.5, 0.7)),
    )


def of_other_rates(draw: np.random.Generator) -> tuple[Rows, Rows]:
    """Returns devices of which some send ten times as often as others; later, the same devices."""
    known: list[Rows] = []
    later: list[Rows] = []
    for number in range(6):
        before, after = cut(device(draw, 6_000, mean=60, own=0.3), 2_000)
        for part, rows in ((before, known), (after, later)):
            of = part.at(slice(None, None, 1 if number < 2 else 10))
            rows.append(Rows(of.values, of.labels, [f"m{number}"] * len(of.labels), of.times))
    return joined_rows(*known), joined_rows(*later)


def joined_rows(*parts: Rows) -> Rows:
    return Rows(
        np.vstack([part.values for part in parts]), np.concatenate([part.labels for part in parts]),
        [name for part in parts for name in part.devices or ()],
        np.concatenate([part.times for part in parts if part.times is not None]),
    )  # fmt: skip


def without_time(rows: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
    known, later = (Rows(each.values, each.labels) for each in rows)
    return known, later


KINDS: dict[str, Make] = {
    "one device, later": lambda draw: cut(device(draw, 6_000, mean=100), 2_000),
    "three classes": lambda draw: cut(device(draw, 8_000, 3, 100), 2_400),
    "seven classes": lambda draw: cut(device(draw, 12_000, 7, 80, 1.5), 4_000),
    "150 rows": lambda draw: cut(device(draw, 4_000, mean=10, memory=0.8), 150),
    "one row in 200 is a fault": lambda draw: cut(device(draw, 40_000, mean=20, apart=2.5, rare=0.005), 10_000),
    "8 machines, new ones": new_machines(8, 0.7),
    "6 machines that differ, new ones": new_machines(6, 1.5),
    "4 machines that differ, new ones": new_machines(4, 1.5),
    "the device's name gives the label away": named_by_device,
    "12 recordings of 3 states": recordings(12, 150),
    "36 recordings of 3 states": recordings(36, 60),
    "slow drift": drifting,
    "a feature counts": counted,
    "sensors mounted again half way": mounted_again,
    "labels from work orders": work_orders,
    "two plants, new machines": two_plants,
    "some devices send ten times as often": of_other_rates,
    "each row four times, in time": lambda draw: joined(draw, True),
    "each row four times, without time": lambda draw: joined(draw, False),
    "a file in order, without its times": lambda draw: without_time(cut(device(draw, 6_000, mean=80), 2_000)),
}


def of_kinds(seeds: Sequence[int]) -> Lines:
    yield "## Data of many kinds, and what came later\n"
    yield f"{METRIC} of the model taken. *Cannot tell*: no interval, nothing to learn, not evaluable, or refused."
    yield "*Said*: the interval does not hold what came later, and a note says that it cannot tell.\n"
    yield "| data | runs | cannot tell | interval held | missed, said | missed | winner contradicted |"
    yield "|---|---|---|---|---|---|---|"
    totals = np.zeros(5, np.int64)
    for name, make in KINDS.items():
        counts = np.zeros(5, np.int64)
        for seed in seeds:
            known, later = make(np.random.default_rng((seed, len(name))))
            counts[_judged(known.data(seed), later.data(seed), seed)] += 1
        totals += counts
        yield f"| {name} | {len(seeds)} | " + " | ".join(str(count) for count in counts) + " |"
    yield ""
    told = int(totals[1:].sum())
    yield Goal(
        "intervals that hold what came later, or a note that it cannot be told", f"at least 90 % of {told} intervals",
        f"{totals[1] + totals[2]} ({totals[2]} by a note)", totals[1] + totals[2] >= LEAST_HELD * told,
    )  # fmt: skip
    yield Goal("a clear winner that what came later contradicts", "0", str(totals[4]), not totals[4])


def _judged(known: Dataset, later: Dataset, seed: int) -> int:
    """Returns in which column of the page's table a run counts, from 0."""
    try:
        run = train(known, CANDIDATES, seed, later)
    except InvalidInput:
        return 0
    taken, verdict = run.result.candidates[0], run.result.verdict["kind"]
    truth, sure = run.later[taken["model_type"]], taken["intervals"].get(METRIC)
    if verdict in ("nothing_to_learn", "not_evaluable") or sure is None or truth is None:
        return 0
    if verdict == "clear" and truth < max(score or 0.0 for score in run.later.values()) - LEAD:
        return 4
    if sure[0] <= truth <= sure[1]:
        return 1
    return 2 if _is_said(run) else 3


def _is_said(run: Run) -> bool:
    return any("cannot be told" in note or "too few to tell" in note for note in run.notes)
