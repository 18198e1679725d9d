"""Finds the usual values of each feature: those in the training data of the selected model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from admin.console.console import Console
from operations.views.models import model_detail
from operations.views.plant import PlantView
from zelador.errors import ZeladorError

SEEN_S = 60.0

Usual = tuple[float, float]


def usual_ranges(console: Console, now: PlantView) -> Mapping[str, Usual]:
    """Returns the middle 98 % of each feature, or else its whole range; empty if unknown."""
    if now.selection is None:
        return {}
    name, registry = now.selection["model"], console.services.registry

    def read() -> dict[str, Usual]:
        found: dict[str, Usual] = {}
        try:
            for each in model_detail(registry, name).features:
                if (seen := each.seen) is not None:
                    low = seen.minimum if seen.p1 is None else seen.p1
                    found[each.name] = (low, seen.maximum if seen.p99 is None else seen.p99)
        except (ZeladorError, OSError):
            return {}
        return found

    return console.window.kept.get(("usual", name), SEEN_S, read)


def importance(console: Console, now: PlantView) -> Mapping[str, float]:
    """Returns how much the metric of the selected model drops without each feature; empty if unknown."""
    if now.selection is None:
        return {}
    name, registry = now.selection["model"], console.services.registry

    def read() -> dict[str, float]:
        try:
            report = model_detail(registry, name).report
        except (ZeladorError, OSError):
            return {}
        return {each.feature: each.mean for each in report.importance.features} if report and report.importance else {}

    return console.window.kept.get(("importance", name), SEEN_S, read)


def distance(values: Sequence[float], usual: Usual | None) -> float:
    """Returns how far the last value is outside the usual range, relative to that range; below 0 if it is inside."""
    if not values or usual is None or usual[1] <= usual[0]:
        return -1.0
    low, high = usual
    return max(low - values[-1], values[-1] - high) / (high - low)
