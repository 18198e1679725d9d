"""The parts of a model's report that pages show: curves, importance, ranges. Absent parts are None or empty.

A report comes with the model, perhaps from a stranger. Parts that do not fit together are refused when it is decoded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated

import msgspec

from registry.registry import Registry
from zelador.errors import ZeladorError
from zelador.ranges import MAX_VALUE
from zelador.undecodable import UNDECODABLE

log = logging.getLogger(__name__)

Share = Annotated[float, msgspec.Meta(ge=-1e-6, le=1.0 + 1e-6)]  # rounded
Number = Annotated[float, msgspec.Meta(ge=-MAX_VALUE, le=MAX_VALUE)]  # so that charts can compute with it
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
FILE = "report/report.json"
MAX_REPORT = 4_194_304  # bytes that are read


def _check(is_sound: bool, what: str) -> None:
    """Raises ValueError, which msgspec turns into an error of its own."""
    if not is_sound:
        raise ValueError(f"{what} does not fit together")


class Roc(msgspec.Struct, frozen=True):
    false_alarms: list[Share]
    found: list[Share]
    area: Number

    def __post_init__(self) -> None:
        _check(len(self.false_alarms) == len(self.found), "an ROC curve")


class Calibration(msgspec.Struct, frozen=True):
    said: list[Share]  # mean predicted probability of each bin
    was: list[Share]  # observed rate
    rows: list[Count]
    error: Number

    def __post_init__(self) -> None:
        _check(len(self.said) == len(self.was) == len(self.rows), "a calibration")


class FeatureImportance(msgspec.Struct, frozen=True):
    feature: str
    mean: Number
    spread: Number


class Importance(msgspec.Struct, frozen=True):
    metric: str
    features: list[FeatureImportance]


class Range(msgspec.Struct, frozen=True):
    """The values of a feature in training."""

    minimum: Number
    maximum: Number
    p1: Number | None = None
    median: Number | None = None
    p99: Number | None = None
    missing: Number | None = None
    counts: list[Count] = []  # of the values, in bins of equal width from minimum to maximum

    def __post_init__(self) -> None:
        _check(self.minimum <= self.maximum, "the range of a feature")


class Thresholds(msgspec.Struct, frozen=True):
    """What the errors in 1,000 rows cost by threshold; `costs` are of a missed row and of a false alarm."""

    threshold: list[Number]
    cost: list[Number]
    costs: list[Number] = []
    chosen: Number | None = None
    recall_kept: Number | None = None  # the share to find, if the threshold was chosen by it

    def __post_init__(self) -> None:
        _check(len(self.threshold) == len(self.cost), "the cost by threshold")

    def cost_at(self, threshold: float) -> float | None:
        """Returns the cost at the nearest threshold that was computed."""
        pairs = list(zip(self.threshold, self.cost, strict=False))
        return min(pairs, key=lambda pair: abs(pair[0] - threshold))[1] if pairs else None


class Counts(msgspec.Struct, frozen=True):
    """Errors by threshold, on rows that a model did not learn from."""

    rows: Count
    positives: Count
    missed: list[Count]
    false_alarms: list[Count]


class ErrorCounts(msgspec.Struct, frozen=True):
    """The errors of two classes by threshold: out of the folds, and on the hold-out; None without one."""

    positive: str
    threshold: list[Number]
    folds: Counts
    held_out: Counts | None = None

    def __post_init__(self) -> None:
        for counts in filter(None, (self.folds, self.held_out)):
            _check(len(self.threshold) == len(counts.missed) == len(counts.false_alarms), "the errors by threshold")


class DeviceScores(msgspec.Struct, frozen=True):
    """`errors` is the share of wrong answers; `score` is None where the device has one class only.

    Of two classes: `found` of `positives`, and the readings of the other class that counted as positive.
    """

    device: str
    rows: Count
    errors: Number
    score: Number | None = None
    positives: Count | None = None
    found: Count | None = None
    false_alarms: int | None = None


class ByDevice(msgspec.Struct, frozen=True):
    """The devices with the largest share of wrong answers first; not all of them if there are many."""

    metric: str
    devices: int
    rows: list[DeviceScores]
    worst: str | None = None

    def of(self, device: str) -> DeviceScores | None:
        return next((row for row in self.rows if row.device == device), None)


class Report(msgspec.Struct, frozen=True):
    rows: Count = 0
    classes: list[str] = []
    confusion: list[list[Count]] = []
    roc: dict[str, Roc] = {}
    calibration: dict[str, Calibration] = {}
    importance: Importance | None = None
    training: dict[str, Range] = {}
    threshold: dict[str, Thresholds] = {}
    errors: ErrorCounts | None = None
    by_device: ByDevice | None = None

    def __post_init__(self) -> None:
        if self.confusion:
            width = len(self.classes)
            _check([len(row) for row in self.confusion] == [width] * width, "the confusion")

    def costs(self, label: str | None) -> tuple[float, float] | None:
        """The costs of a missed row and of a false alarm, if the threshold was chosen by them and they differ."""
        table = self.threshold.get(label or "")
        if table is None or len(table.costs) != 2 or table.recall_kept is not None or table.costs[0] == table.costs[1]:
            return None
        return table.costs[0], table.costs[1]

    def works_at(self, label: str) -> tuple[float, float] | None:
        """The false positive rate and the recall of one of two classes, at the model's threshold."""
        if len(self.classes) != 2 or label not in self.classes or [len(row) for row in self.confusion] != [2, 2]:
            return None
        at = self.classes.index(label)
        own, other = self.confusion[at], self.confusion[1 - at]
        hits, missed, quiet, false = own[at], own[1 - at], other[1 - at], other[at]
        if not hits + missed or not quiet + false:
            return None
        return false / (false + quiet), hits / (hits + missed)


def report_of(registry: Registry, name: str) -> Report | None:
    """The model's report; None if it has none or it cannot be read."""
    return _read(name, lambda: registry.file(name, FILE))


def candidate_report(registry: Registry, run: str, rank: int) -> Report | None:
    """Returns the report of a run's candidate, saved or not, like `report_of`."""
    return _read(f"candidate {rank} of run {run}", lambda: registry.candidate_file(run, rank, FILE))


def _read(called: str, file: Callable[[], bytes]) -> Report | None:
    try:
        data = file()
        return msgspec.json.decode(data, type=Report) if len(data) <= MAX_REPORT else None
    except (ZeladorError, *UNDECODABLE, OSError) as error:
        log.debug("%s has no report that can be shown: %s", called, error)
        return None
