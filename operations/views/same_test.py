"""How a model compares with the selected one on the same readings, and what is against selecting it. Pure.

Scores of two runs are of different readings. A run stores, with each model, its difference from the model that was
live, and from the recommended candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from operations.views.metadata import Pair, integer, numbers, pair_of, text_of
from registry.log.state import Model, State
from registry.metadata import mapping
from zelador.alarms.policy import policy
from zelador.settings import AlarmSettings

PER = 1_000  # readings
SAME = 5e-4  # a precision that differs by less is the same; scores are rounded


@dataclass(frozen=True, slots=True)
class Lead:
    """By how much a model is better than another one in a metric, on the same readings; with a 95 % interval."""

    metric: str
    difference: float
    interval: Pair | None
    part: Literal["held out", "folds"]

    @property
    def is_worse(self) -> bool:
        """True if the interval is below 0."""
        return self.interval is not None and self.interval[1] < 0


@dataclass(frozen=True, slots=True)
class CostPair:
    """What the errors of two models cost in 1,000 of the same readings, with these costs of each error."""

    missed: float
    false_alarm: float
    own: float
    other: float


@dataclass(frozen=True, slots=True)
class SameTest:
    """Differences from the selected model by metric, on the same held-out readings; `lead` is by the model's metric."""

    differences: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, Pair] = field(default_factory=dict)
    lead: Lead | None = None
    cost: CostPair | None = None
    is_one_run: bool = False  # of both, so that both have the same held-out readings anyway


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is against selecting a model. `behind` is its difference from the candidate that its run recommends."""

    is_not_recommended: bool  # its run recommends no model
    is_another_recommended: bool  # its run recommends another model, and does not call this one as good
    behind: Lead | None
    against: Lead | None  # from the selected model, if it is worse
    cost: CostPair | None

    def __bool__(self) -> bool:
        return self.is_not_recommended or self.is_another_recommended or self.against is not None


def same_test(model: Model, selected: Model | None) -> SameTest:
    """What their runs stored about both; empty if they were never tested on the same readings."""
    if selected is None or selected.name == model.name:
        return SameTest()
    own, other = model.metadata, selected.metadata
    if _was_live(selected, model):
        found, pairs = numbers(own.get("difference")), _pairs(own.get("difference_intervals"))
    elif _was_live(model, selected):
        found = {metric: -each for metric, each in numbers(other.get("difference")).items()}
        pairs = {metric: _turned(each) for metric, each in _pairs(other.get("difference_intervals")).items()}
    elif own.get("run") is not None and own.get("run") == other.get("run"):
        mine, theirs = numbers(own.get("holdout")), numbers(other.get("holdout"))
        found, pairs = {metric: round(mine[metric] - theirs[metric], 6) for metric in mine if metric in theirs}, {}
    else:
        return SameTest()
    metric = metric_of(own)
    lead = Lead(metric, found[metric], pairs.get(metric), "held out") if metric in found else None
    if lead is None or lead.interval is None:
        lead = _on_folds(own, other) or lead
    scores = {name: value - found[name] for name, value in numbers(own.get("holdout")).items() if name in found}
    costs = next((each for facts in (own, other) if (each := costs_of(mapping(facts.get("costs"))))), None)
    positive = text_of(own.get("positive")) or None
    cost, run = cost_pair(mapping(own.get("confusion")), positive, scores, costs), own.get("run")
    return SameTest(found, pairs, lead, cost, run is not None and run == other.get("run"))


def doubts(state: State, name: str) -> Doubts:
    """What is against selecting a model. Raises ModelNotFound."""
    model = state.model(name)
    selected = None if state.selection is None else state.models.get(state.selection.model)
    facts, same = model.metadata, same_test(model, selected)
    behind = _from_first(facts)
    is_later = text_of(facts.get("run")) != "" and (integer(facts.get("rank")) or 1) > 1
    is_other = is_later and (behind is None or behind.interval is None or behind.is_worse)
    worse = same.lead if same.lead is not None and same.lead.is_worse else None
    not_recommended = facts.get("not_recommended") is True
    return Doubts(
        not_recommended,
        is_other and not not_recommended,
        behind if is_other else None,
        worse,
        same.cost,
    )


def warnings(found: Doubts) -> list[str]:
    """The doubts as English sentences, for the API and the command line."""
    said = []
    if found.is_not_recommended:
        said.append("its run recommends no model: it found nothing to learn, or could not test it")
    if found.is_another_recommended:
        said.append(f"its run recommends another model{_by(found.behind)}")
    if found.against is not None:
        said.append(f"it is worse than the selected model on the same readings{_by(found.against)}")
        if found.cost is not None and found.cost.own < found.cost.other:
            cost = found.cost
            said[-1] += (
                f"; with the costs {cost.missed:g} and {cost.false_alarm:g} its errors cost less: {cost.own:.1f} "
                f"instead of {cost.other:.1f} in 1,000 readings"
            )
    return said


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Alarms of a device that needs nothing: `on_count` of `window` readings with a probability of at least `high`.

    They are fewer than the wrong readings, which a test on held-out readings counts one by one.
    """

    per_device_and_day: float
    on_count: int
    window: int
    high: float


def false_alarms(model: Model | None, settings: AlarmSettings) -> FalseAlarms | None:
    """The false alarms, as training counted them by the model's own rule; None if the plant has another."""
    if model is None:
        return None
    known = numbers(model.metadata.get("alarm"))
    rule = policy(settings, [], model.metadata).rules[0]
    is_own = all(known.get(name) == getattr(rule, name) for name in ("on_count", "window", "high"))
    if not is_own or known.get("per_device_and_week", -1.0) < 0:
        return None
    return FalseAlarms(known["per_device_and_week"] / 7, rule.on_count, rule.window, rule.high)


def cost_pair(
    confusion: Mapping[str, Any], positive: str | None, other: Mapping[str, float], costs: Pair | None
) -> CostPair | None:
    """The costs of a model's errors and of another one's, known by its scores on the same readings of two classes."""
    table = confusion.get("counts"), confusion.get("labels")
    counts, labels = (list(each) if isinstance(each, list | tuple) else [] for each in table)
    if (
        costs is None
        or positive not in labels
        or [len(row) for row in counts if isinstance(row, list | tuple)] != [2, 2]
    ):
        return None
    at = labels.index(positive)
    (found, missed), (false_alarms, quiet) = counts[at][:: 1 - 2 * at], counts[1 - at][:: 1 - 2 * at]
    positives, rows = found + missed, found + missed + false_alarms + quiet
    errors = _errors(other, positives, rows)
    if errors is None:
        return None
    own, theirs = (PER * (costs[0] * a + costs[1] * b) / rows for a, b in ((missed, false_alarms), errors))
    return CostPair(costs[0], costs[1], own, theirs)


def costs_of(costs: Mapping[str, Any]) -> Pair | None:
    """The costs of a missed reading and of a false alarm, if the threshold was chosen by them and they differ."""
    found = numbers(costs)
    missed, false_alarm = found.get("missed", 1.0), found.get("false_alarm", 1.0)
    is_chosen_by_them = "recall" not in found and missed != false_alarm and min(missed, false_alarm) > 0
    return (missed, false_alarm) if is_chosen_by_them else None


def metric_of(facts: Mapping[str, Any]) -> str:
    """The metric that its run ranked by."""
    return text_of(facts.get("metric")) or "F1"


def _errors(scores: Mapping[str, float], positives: int, rows: int) -> tuple[int, int] | None:
    """What a model missed, and its false alarms; None if the scores do not tell, as with a third class."""
    if not positives or not all(0.0 <= scores.get(name, -1.0) <= 1.0 for name in ("Recall", "Accuracy")):
        return None
    missed = round(positives * (1 - scores["Recall"]))
    false_alarms = round(rows * (1 - scores["Accuracy"])) - missed
    found = positives - missed
    if false_alarms < 0 or (found and abs(found / (found + false_alarms) - scores.get("Precision", 0.0)) > SAME):
        return None
    return missed, false_alarms


def _on_folds(own: Mapping[str, Any], other: Mapping[str, Any]) -> Lead | None:
    """The difference over the folds of their run, which has one between the recommended candidate and each other."""
    if own.get("run") is None or own.get("run") != other.get("run"):
        return None
    if other.get("rank") == 1:
        return _from_first(own)
    found = _from_first(other) if own.get("rank") == 1 else None
    if found is None:
        return None
    return Lead(found.metric, -found.difference, None if found.interval is None else _turned(found.interval), "folds")


def _from_first(facts: Mapping[str, Any]) -> Lead | None:
    metric = metric_of(facts)
    found = numbers(facts.get("from_first")).get(metric)
    pair = pair_of(mapping(facts.get("from_first_intervals")).get(metric))
    return None if found is None else Lead(metric, found, pair, "folds")


def _was_live(live: Model, model: Model) -> bool:
    """True if `live` was selected when the other one was trained, so that its run tested both."""
    return model.metadata.get("reference") == live.name and live.seq < model.seq


def _pairs(found: Any) -> dict[str, Pair]:
    return {str(name): pair for name, each in mapping(found).items() if (pair := pair_of(each)) is not None}


def _turned(pair: Pair) -> Pair:
    return -pair[1], -pair[0]


def _by(lead: Lead | None) -> str:
    if lead is None:
        return ""
    sure = "" if lead.interval is None else f", 95 % interval {lead.interval[0]:+.3f} to {lead.interval[1]:+.3f}"
    return f" ({lead.metric} {lead.difference:+.3f}{sure})"
