"""Evaluates the runs: which pairs count, the median of their ratios, and whether the benchmark failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.run import Result

DISTURBED = 0.12  # share of the machine; if other processes used more, the pair does not count
GROWTH_S = 0.25  # seconds of readings; if the backlog of an open loop grew by more, the rate is not sustained


@dataclass(frozen=True, slots=True)
class Pair:
    """A run of both floors and the product, one after the other. A part is None if it was not requested."""

    qos0: Result | None
    qos1: Result | None
    product: Result | None

    @property
    def runs(self) -> tuple[Result, ...]:
        return tuple(run for run in (self.qos0, self.qos1, self.product) if run is not None)

    @property
    def others(self) -> float:
        return max((run.others for run in self.runs), default=0.0)

    @property
    def void(self) -> str | None:
        """Why a floor is invalid, if it lost or repeated readings; None otherwise."""
        for floor in (self.qos0, self.qos1):
            if floor is not None and not floor.exact:
                return f"the {floor.route} lost {floor.lost} and repeated {floor.repeated}"
        return None

    @property
    def fault(self) -> str | None:
        """Why the pair does not count; None if it does."""
        if self.void:
            return self.void
        if self.others > DISTURBED:
            return f"other processes used {self.others:.0%} of the machine"
        return None

    @property
    def ratio(self) -> float | None:
        return _ratio(self.product, self.qos0)

    @property
    def ratio_qos1(self) -> float | None:
        return _ratio(self.product, self.qos1)


@dataclass(frozen=True, slots=True)
class Counted:
    """The pairs from which the results are computed. `disturbed`: no pair was undisturbed, so these are used."""

    pairs: tuple[Pair, ...]
    discarded: tuple[Pair, ...]
    disturbed: bool = False


def count_pairs(pairs: Sequence[Pair]) -> Counted:
    good = tuple(pair for pair in pairs if pair.fault is None)
    bad = tuple(pair for pair in pairs if pair.fault is not None)
    return Counted(good or tuple(pair for pair in bad if pair.void is None), bad, disturbed=not good)


def another_pair(pairs: Sequence[Pair], wanted: int, seconds: float, budget_s: float) -> bool:
    """True until `wanted` pairs count, but for at most twice as many pairs, and not beyond the time budget."""
    if any(pair.product is not None and not pair.product.exact for pair in pairs):
        return False  # the benchmark has already failed
    if not pairs:
        return True
    good = sum(pair.fault is None for pair in pairs)
    return good < wanted and len(pairs) < 2 * wanted and seconds < budget_s


def middle(values: Sequence[float | None]) -> float | None:
    """The median of the values that are not None; None if there are none."""
    present = [value for value in values if value is not None]
    return median(present) if present else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest of `values` that `share` of them do not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def backlog_grew(run: Result, per_s: float) -> bool:
    return run.backlog_end - run.backlog_start > GROWTH_S * per_s


def failures(
    product: Sequence[Result], ledger: Mapping[str, int] | None, sustained: tuple[Result, float] | None
) -> list[str]:
    """Why the benchmark fails, in sentences; empty if it does not. Low speed is not a failure."""
    found = []
    for run in product:
        if run.stalled:
            counts = f"{run.sent:,} sent, {run.acknowledged:,} acknowledged to the load, {run.received:,} received"
            found.append(f"{run.route} stalled: {counts}")
        if run.lost:
            found.append(f"{run.route}: {run.lost:,} of {run.sent:,} readings have no prediction")
        if run.repeated:
            found.append(f"{run.route}: {run.repeated:,} predictions were repeated, or are for no reading of the run")
    sent = sum(run.sent for run in product)
    if ledger is not None and ledger["unaccounted"]:
        found.append(f"the ledger does not close: {ledger['unaccounted']:,} unaccounted")
    if ledger is not None and ledger["classified"] != sent:
        found.append(f"the ledger has {ledger['classified']:,} classified, but {sent:,} readings were sent")
    if sustained is not None and sustained[0].others <= DISTURBED and backlog_grew(*sustained):
        start, end = sustained[0].backlog_start, sustained[0].backlog_end
        found.append(f"at {sustained[1]:,.0f} readings a second the backlog grew from {start:,.0f} to {end:,.0f}")
    return found


def _ratio(product: Result | None, floor: Result | None) -> float | None:
    return product.per_s / floor.per_s if product is not None and floor is not None and floor.per_s else None
