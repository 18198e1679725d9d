"""The parts of a model's report that pages show: curves, importance, ranges. Absent parts are None or empty."""

from __future__ import annotations

import logging

import msgspec

from registry.registry import Registry
from zelador.errors import ZeladorError

log = logging.getLogger(__name__)

FILE = "report/report.json"
MAX_REPORT = 4_194_304  # bytes that are read


class Roc(msgspec.Struct, frozen=True):
    false_alarms: list[float]
    found: list[float]
    area: float


class Calibration(msgspec.Struct, frozen=True):
    said: list[float]  # mean predicted probability of each bin
    was: list[float]  # observed rate
    rows: list[int]
    error: float


class FeatureImportance(msgspec.Struct, frozen=True):
    feature: str
    mean: float
    spread: float


class Importance(msgspec.Struct, frozen=True):
    metric: str
    features: list[FeatureImportance]


class Range(msgspec.Struct, frozen=True):
    """The values of a feature in training."""

    minimum: float
    maximum: float
    p1: float | None = None
    median: float | None = None
    p99: float | None = None
    missing: float | None = None


class Report(msgspec.Struct, frozen=True):
    rows: int = 0
    classes: list[str] = []
    confusion: list[list[int]] = []
    roc: dict[str, Roc] = {}
    calibration: dict[str, Calibration] = {}
    importance: Importance | None = None
    training: dict[str, Range] = {}

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
    try:
        data = registry.file(name, FILE)
        return msgspec.json.decode(data, type=Report) if len(data) <= MAX_REPORT else None
    except (ZeladorError, msgspec.DecodeError, OSError) as error:
        log.debug("%s has no report that can be shown: %s", name, error)
        return None
