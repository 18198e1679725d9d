"""Which threshold fits given costs, or a share to find, and what errors it makes: from a report's error counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from operations.views.report import Counts, ErrorCounts, Report, candidate_report
from registry.registry import Registry
from zelador.errors import NotFound

PER = 1_000  # readings


@dataclass(frozen=True, slots=True)
class ErrorsAt:
    """The errors of a model at a threshold."""

    threshold: Annotated[float, Field(description="Probability from which a reading counts as positive.")]
    missed: Annotated[int, Field(description="Positive readings that it misses.")]
    false_alarms: Annotated[int, Field(description="Other readings that it counts as positive.")]
    cost: Annotated[float, Field(description="Cost of these errors in 1,000 readings.")]


@dataclass(frozen=True, slots=True)
class ThresholdView:
    """The threshold for given costs, or for a share to find, with the errors there, at the model's own, and at 0.5.

    It is chosen on the folds, as a run would choose it; errors are counted on readings that the model did not learn
    from. Nothing changes: a model keeps the threshold that its run gave it.
    """

    positive: Annotated[str, Field(description="The positive class.")]
    cost_missed: Annotated[float, Field(description="Cost of a missed reading.")]
    cost_false_alarm: Annotated[float, Field(description="Cost of a false alarm.")]
    recall: Annotated[float | None, Field(description="The share to find, if the threshold keeps one; else null.")]
    rows: Annotated[int, Field(description="Readings on which errors are counted.")]
    positives: Annotated[int, Field(description="Those of the positive class among them.")]
    asked: Annotated[ErrorsAt, Field(description="At the threshold for these costs.")]
    chosen: Annotated[ErrorsAt | None, Field(description="At the model's own threshold; null if it has none.")]
    half: Annotated[ErrorsAt, Field(description="At 0.5, which is no choice.")]
    curve: Annotated[list[ErrorsAt], Field(description="At each threshold that was counted.")]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a threshold is chosen by: the costs of both errors, or with `recall` the share of the positives to find."""

    missed: float = 1.0
    false_alarm: float = 1.0
    recall: float | None = None

    @property
    def threshold(self) -> float:
        """The probability at which both errors have the same expected cost."""
        return self.false_alarm / (self.false_alarm + self.missed)


def run_threshold(registry: Registry, run: str, rank: int, costs: Costs) -> ThresholdView:
    """The answer for a candidate of a run. Raises NotFound if there is no such run, or nothing to choose."""
    registry.run(run)
    report = candidate_report(registry, run, rank)
    found = None if report is None else report_threshold(report, costs)
    if found is None:
        raise NotFound(
            f"candidate {rank} of run {run} has no threshold to choose: it has more than two classes, it gives no "
            "probabilities, or its files are gone"
        )
    return found


def report_threshold(report: Report, costs: Costs) -> ThresholdView | None:
    """The answer from a report; None if it has no error counts."""
    if report.errors is None:
        return None
    table = report.threshold.get(report.errors.positive)
    return threshold_view(report.errors, costs, None if table is None else table.chosen)


def threshold_view(errors: ErrorCounts, costs: Costs, chosen: float | None) -> ThresholdView | None:
    """Returns the answer; None if the counts are incomplete."""
    judged = errors.held_out or errors.folds
    count = len(errors.threshold)
    if not count or any(len(c) != count for each in (judged, errors.folds) for c in (each.missed, each.false_alarms)):
        return None

    def at(threshold: float) -> ErrorsAt:
        place = min(range(count), key=lambda each: abs(errors.threshold[each] - threshold))
        return _errors(judged, place, costs, threshold)

    asked = at(costs.threshold) if costs.recall is None else at(_keeping(errors, costs.recall))
    return ThresholdView(
        errors.positive,
        costs.missed,
        costs.false_alarm,
        costs.recall,
        judged.rows,
        judged.positives,
        asked,
        None if chosen is None else at(chosen),
        at(0.5),
        [_errors(judged, place, costs, threshold) for place, threshold in enumerate(errors.threshold)],
    )


def _errors(counts: Counts, place: int, costs: Costs, threshold: float) -> ErrorsAt:
    missed, false_alarms = counts.missed[place], counts.false_alarms[place]
    cost = costs.missed * missed + costs.false_alarm * false_alarms
    return ErrorsAt(round(threshold, 6), missed, false_alarms, PER * cost / max(1, counts.rows))


def _keeping(errors: ErrorCounts, recall: float) -> float:
    """Returns the highest threshold at which this share of the positive rows of the folds is still found."""
    most = errors.folds.positives * (1 - recall) + 1e-9
    kept = [each for each, missed in zip(errors.threshold, errors.folds.missed, strict=True) if missed <= most]
    return max(kept, default=errors.threshold[0])
