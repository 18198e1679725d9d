"""Finds what is odd about the values of a device: far from what the selected model saw in training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from admin.console.console import Console
from operations.views.models import FeatureRow, model_detail
from operations.views.plant import PlantView
from operations.views.report import Range, Report
from zelador.errors import ZeladorError

SEEN_S = 60.0
MUCH = 0.5  # movement
RECENT = 15  # values that say whether a feature is odd

Usual = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """The selected model's facts by feature; empty if unknown.

    `usual` has the middle 98 % of the values in its training data, or all of them for the features in `whole`;
    `importance` has how much its metric drops without the feature.
    """

    usual: Mapping[str, Usual] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()

    def oddness(self, feature: str, values: Sequence[float]) -> tuple[bool, float, bool]:
        """Returns a key that sorts features, the greatest first: what is not usual, then what the model needs most.

        If the model says neither, it is what has moved much.

        It does not follow single readings, so that the order stays the same from one reading to the next.
        """
        return is_odd(values, self.usual.get(feature)), self.importance.get(feature, 0.0), movement(values) > MUCH


def seen_by_model(console: Console, now: PlantView) -> Seen:
    if now.selection is None:
        return Seen()
    name, registry = now.selection["model"], console.services.registry

    def read() -> Seen:
        try:
            model = model_detail(registry, name)
            return seen_in(model.features, model.report)
        except (ZeladorError, OSError):
            return Seen()

    return console.window.kept.get(("seen", name), SEEN_S, read)


def seen_in(features: Iterable[FeatureRow], report: Report | None) -> Seen:
    usual: dict[str, Usual] = {}
    whole: set[str] = set()
    for each in features:
        if (seen := each.seen) is not None:
            middle = middle_of(seen)
            usual[each.name] = middle or (seen.minimum, seen.maximum)
            if middle is None:
                whole.add(each.name)
    known = report.importance if report else None
    importance = {each.feature: each.mean for each in known.features} if known else {}
    return Seen(usual, importance, frozenset(whole))


def middle_of(seen: Range) -> Usual | None:
    """Returns the middle 98 % of the values in training; None if they are not known."""
    return None if seen.p1 is None or seen.p99 is None else (seen.p1, seen.p99)


def is_odd(values: Sequence[float], usual: Usual | None) -> bool:
    """Returns whether the last values, by their median, are outside the usual range."""
    if not values or usual is None or usual[1] <= usual[0]:
        return False
    return not usual[0] <= median(values[-RECENT:]) <= usual[1]


def movement(values: Sequence[float]) -> float:
    """Returns the range of the values, relative to their size."""
    size = max(abs(value) for value in values)
    return (max(values) - min(values)) / size if size else 0.0
