"""The threshold of a run's best candidate for costs that a person types: what it would be, and what errors it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.numbers import number_of, two_ways
from operations.views.report import Report
from operations.views.threshold import Costs, ErrorsAt, ThresholdView, report_threshold

MAX_COST = 1e12
MAX_TEXT = 40  # characters of a field
WRONG_COST = _("Write a number above 0.")
WRONG_RECALL = _("Write a number above 0, up to 100.")


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields of the form as they were typed; empty ones count as those of the run."""

    missed: str = ""
    false_alarm: str = ""
    recall: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.missed.strip() or self.false_alarm.strip() or self.recall.strip())


@dataclass(frozen=True, slots=True)
class ThresholdShown:
    """What the form shows. `wrong` has why a field cannot be used, by its name.

    `again` and `command` start a run with these costs: the query of the form, and the options of the command line.
    """

    typed: Typed
    found: ThresholdView | None
    is_asked: bool  # a person typed something
    wrong: Mapping[str, str] = field(default_factory=dict)
    again: str = ""
    command: str = ""

    @property
    def here(self) -> ErrorsAt | None:
        """The errors at the asked threshold; before somebody asked, at that of the run."""
        return (
            None if self.found is None else self.found.asked if self.is_asked else self.found.chosen or self.found.asked
        )

    @property
    def cheaper(self) -> ErrorsAt | None:
        """A threshold of the table that costs less on the same readings than that of `here`."""
        found, here = self.found, self.here
        if found is None or here is None or found.recall is not None:  # a share is kept at any cost
            return None
        others = [each for each in (found.chosen, found.half) if each is not None and each.cost < here.cost]
        return min(others, key=lambda each: each.cost, default=None)

    @property
    def top(self) -> float:
        """The highest cost that the curve shows: thresholds near 0 and 1 may cost much more than is of interest."""
        found = self.found
        if found is None:
            return 1.0
        costs = sorted(each.cost for each in found.curve if 0.01 <= each.threshold <= 0.99)
        return max([*costs, found.asked.cost, found.half.cost], default=1.0) or 1.0


def threshold_shown(language: Language, report: Report | None, typed: Typed) -> ThresholdShown | None:
    """Returns the answer to what was typed; without it, to the costs of the run. None without counts."""
    if report is None or report.errors is None:
        return None
    usual = _usual(report, report.errors.positive)
    wrong: dict[str, str] = {}

    def amount(name: str, text: str, most: float, unusual: float | None) -> float | None:
        if not text.strip():
            return unusual
        value = number_of(language, text[:MAX_TEXT])
        if value is not None and 0 < value <= most:
            return value
        why = WRONG_RECALL if name == "recall" else WRONG_COST
        wrong[name] = two_ways(language, text[:MAX_TEXT]) or language.text(why)
        return unusual

    missed = amount("missed", typed.missed, MAX_COST, None)
    false_alarm = amount("false_alarm", typed.false_alarm, MAX_COST, None)
    percent = amount("recall", typed.recall, 100.0, None)
    if missed is None and false_alarm is None:
        missed, false_alarm = usual.missed, usual.false_alarm
        recall = percent / 100 if percent is not None else usual.recall if typed.is_empty else None
    else:
        missed, false_alarm = missed or 1.0, false_alarm or 1.0
        recall = None if percent is None else percent / 100
    costs = Costs(missed, false_alarm, recall)
    found = report_threshold(report, costs)
    if found is None:
        return None
    again, command = _again(costs)
    shown = _filled(language, costs) if typed.is_empty else typed
    return ThresholdShown(shown, found, not typed.is_empty and not wrong, wrong, urlencode(again), command)


def _usual(report: Report, label: str) -> Costs:
    """Returns what the run chose its threshold by."""
    table = report.threshold.get(label)
    if table is None or len(table.costs) != 2 or min(table.costs) <= 0:
        return Costs()
    return Costs(table.costs[0], table.costs[1], table.recall_kept)


def _filled(language: Language, costs: Costs) -> Typed:
    recall = "" if costs.recall is None else language.entry(100 * costs.recall, 6)
    return Typed(language.entry(costs.missed), language.entry(costs.false_alarm), recall)


def _again(costs: Costs) -> tuple[dict[str, str], str]:
    """Returns the fields of the form for a new run, and the options of the command, that choose this threshold."""
    if costs.recall is not None:
        return {"recall": f"{costs.recall:.12g}"}, f"--recall {costs.recall:.12g}"
    missed, false_alarm = f"{costs.missed:.12g}", f"{costs.false_alarm:.12g}"
    fields = {"cost_missed": missed, "cost_false_alarm": false_alarm}
    return fields, f"--cost-missed {missed} --cost-false-alarm {false_alarm}"
