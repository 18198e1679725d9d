"""Which threshold fits given costs, or a share to find, and what errors it makes: from a report's error counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from operations.views.report import Counts, ErrorCounts, Report, candidate_report
from registry.registry import Registry
from zelador.errors import NotFound

PER = 1_000  # readings
SAME = 1e-5  # thresholds that differ by less are the same; they are rounded


@dataclass(frozen=True, slots=True)
class ErrorsAt:
    """The errors of a model at a threshold."""

    threshold: Annotated[float, Field(description="Probability from which a reading counts as positive.")]
    missed: Annotated[int, Field(description="Positive readings that it misses.")]
    false_alarms: Annotated[int, Field(description="Other readings that it counts as positive.")]
    cost: Annotated[float, Field(description="Cost of these errors in 1,000 readings.")]
    folds_cost: Annotated[
        float | None,
        Field(description="Cost at this threshold in 1,000 readings of the folds, where a threshold is chosen."),
    ] = None


@dataclass(frozen=True, slots=True)
class ThresholdView:
    """The threshold for given costs, or for a share to find, with the errors there, at the model's own, and at 0.5.

    It is chosen by the folds, as a run would choose it; errors are counted on held-out readings, if there are some.
    There another threshold may cost less. Nothing changes: a model keeps the threshold that its run gave it.
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
    held_out: Annotated[bool, Field(description="True if the errors are of held-out readings; else of the folds.")]


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


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model's own threshold. `counted`: what it misses there, and its false alarms, exactly: a curve has steps.

    `is_for_these`: it was chosen by the share that is asked for.
    """

    threshold: float
    counted: tuple[int, int] | None = None
    is_for_these: bool = False


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
    if table is None or table.chosen is None:
        return threshold_view(report.errors, costs, None)
    is_same = costs.recall is not None and costs.recall == table.recall_kept
    return threshold_view(report.errors, costs, Chosen(table.chosen, _confused(report, report.errors), is_same))


def threshold_view(errors: ErrorCounts, costs: Costs, own: Chosen | None) -> ThresholdView | None:
    """Returns the answer; `own` is the model's own threshold. None if there are no counts."""
    judged = errors.held_out or errors.folds
    count = len(errors.threshold)
    if not count:
        return None

    def at(threshold: float) -> ErrorsAt:
        place = min(range(count), key=lambda each: abs(errors.threshold[each] - threshold))
        found = _errors(judged, place, costs, threshold)
        if own is not None and own.counted is not None and abs(threshold - own.threshold) < SAME:
            found = _found(*own.counted, judged.rows, costs, threshold)
        on_folds = None if errors.held_out is None else _errors(errors.folds, place, costs, threshold).cost
        return replace(found, folds_cost=on_folds)

    wanted = costs.threshold if costs.recall is None else _keeping(errors, costs.recall)
    asked = at(own.threshold if own is not None and own.is_for_these else wanted)
    return ThresholdView(
        errors.positive,
        costs.missed,
        costs.false_alarm,
        costs.recall,
        judged.rows,
        judged.positives,
        asked,
        None if own is None else at(own.threshold),
        at(0.5),
        [_errors(judged, place, costs, threshold) for place, threshold in enumerate(errors.threshold)],
        errors.held_out is not None,
    )


def _errors(counts: Counts, place: int, costs: Costs, threshold: float) -> ErrorsAt:
    return _found(counts.missed[place], counts.false_alarms[place], counts.rows, costs, threshold)


def _found(missed: int, false_alarms: int, rows: int, costs: Costs, threshold: float) -> ErrorsAt:
    cost = costs.missed * missed + costs.false_alarm * false_alarms
    return ErrorsAt(round(threshold, 6), missed, false_alarms, PER * cost / max(1, rows))


def _confused(report: Report, errors: ErrorCounts) -> tuple[int, int] | None:
    """Returns what the model missed, and its false alarms, by its confusion matrix; None if that is of other rows."""
    judged, table = errors.held_out or errors.folds, report.confusion
    if len(report.classes) != 2 or errors.positive not in report.classes or [len(row) for row in table] != [2, 2]:
        return None
    at = report.classes.index(errors.positive)
    if sum(map(sum, table)) != judged.rows or sum(table[at]) != judged.positives:
        return None
    return table[at][1 - at], table[1 - at][at]


def _keeping(errors: ErrorCounts, recall: float) -> float:
    """Returns the highest threshold at which this share of the positive rows of the folds is still found."""
    most = errors.folds.positives * (1 - recall) + 1e-9
    kept = [each for each, missed in zip(errors.threshold, errors.folds.missed, strict=True) if missed <= most]
    return max(kept, default=errors.threshold[0])
