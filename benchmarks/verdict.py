"""What the runs say: which pairs count, the median of their ratios, and whether the benchmark failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.run import Result

DISTURBED = 0.12  # of the machine: a pair during which somebody else had more does not count
GROWTH_S = 0.25  # of readings: an open loop whose backlog grew by more in a minute is not held


@dataclass(frozen=True, slots=True)
class Pair:
    """Both floors and the product, one after the other. A part is None where it was not asked for."""

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
        """What a floor did that makes it no floor: its rate says nothing."""
        for floor in (self.qos0, self.qos1):
            if floor is not None and not floor.exact:
                return f"the {floor.route} lost {floor.lost} and repeated {floor.repeated}"
        return None

    @property
    def fault(self) -> str | None:
        """Why it does not count; None if it does."""
        if self.void:
            return self.void
        if self.others > DISTURBED:
            return f"somebody else had {self.others:.0%} of the machine"
        return None

    @property
    def ratio(self) -> float | None:
        return _ratio(self.product, self.qos0)

    @property
    def ratio_qos1(self) -> float | None:
        return _ratio(self.product, self.qos1)


@dataclass(frozen=True, slots=True)
class Counted:
    """The pairs that the figures stand on. `disturbed`: none was undisturbed, so they stand on those."""

    pairs: tuple[Pair, ...]
    discarded: tuple[Pair, ...]
    disturbed: bool = False


def count_pairs(pairs: Sequence[Pair]) -> Counted:
    good = tuple(pair for pair in pairs if pair.fault is None)
    bad = tuple(pair for pair in pairs if pair.fault is not None)
    return Counted(good or tuple(pair for pair in bad if pair.void is None), bad, disturbed=not good)


def another_pair(pairs: Sequence[Pair], wanted: int, seconds: float, budget_s: float) -> bool:
    """Whether to measure one more: until `wanted` count, but never more than twice as many, nor beyond the time."""
    if any(pair.product is not None and not pair.product.exact for pair in pairs):
        return False  # it has failed already
    if not pairs:
        return True
    good = sum(pair.fault is None for pair in pairs)
    return good < wanted and len(pairs) < 2 * wanted and seconds < budget_s


def middle(values: Sequence[float | None]) -> float | None:
    """The median of those that are there."""
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
    """Why the benchmark fails, in sentences; empty when it does not. Speed is no reason."""
    found = []
    for run in product:
        if run.stalled:
            said = f"{run.sent:,} sent, {run.acknowledged:,} acknowledged to the load, {run.received:,} received"
            found.append(f"{run.route} stalled: {said}")
        if run.lost:
            found.append(f"{run.route}: {run.lost:,} of {run.sent:,} readings have no prediction")
        if run.repeated:
            found.append(f"{run.route}: {run.repeated:,} predictions came again, or for no reading of the run")
    sent = sum(run.sent for run in product)
    if ledger is not None and ledger["unaccounted"]:
        found.append(f"the ledger does not close: {ledger['unaccounted']:,} unaccounted")
    if ledger is not None and ledger["classified"] != sent:
        found.append(f"the ledger has {ledger['classified']:,} classified, {sent:,} readings were sent")
    if sustained is not None and sustained[0].others <= DISTURBED and backlog_grew(*sustained):
        start, end = sustained[0].backlog_start, sustained[0].backlog_end
        found.append(f"at {sustained[1]:,.0f} readings a second the backlog grew from {start:,.0f} to {end:,.0f}")
    return found


def _ratio(product: Result | None, floor: Result | None) -> float | None:
    return product.per_s / floor.per_s if product is not None and floor is not None and floor.per_s else None
