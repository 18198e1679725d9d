"""A candidate of a run, by one metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations.views.metadata import Pair, integer, numbers, pair_of, text_of
from registry.metadata import mapping
from zelador.training_queue.event import LEFT_OUT

BASELINE = ("Dummy", "dummy")


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A candidate by one metric. Unknown values are None."""

    rank: int | None
    model_type: str
    name: str | None  # of the registered model
    score: float | None  # of cross-validation
    interval: Pair | None
    holdout: float | None
    holdout_interval: Pair | None
    shuffled: float | None
    optimism: float | None
    us_per_row: float | None  # in batches
    threshold: float | None
    served_by: str
    agreement: str  # why it runs as pipeline or ONNX
    confusion: tuple[tuple[int, ...], ...]
    seconds: float | None
    trouble: str | None  # why it was left out
    is_recommended: bool
    is_tied: bool  # cannot be told apart from the recommended one
    is_baseline: bool
    new_devices: float | None  # of the hold-out, by what it asks
    new_devices_interval: Pair | None
    later: float | None
    later_interval: Pair | None
    against_live: float | None  # how much better it is than the selected model, on the same rows
    against_live_interval: Pair | None
    is_calibrated: bool
    from_first: float | None  # over all folds, from the recommended candidate
    from_first_interval: Pair | None
    parameters: Mapping[str, Any]  # of its classifier, if the run stored them

    @property
    def is_left_out(self) -> bool:
        return self.trouble is not None and self.trouble.startswith(LEFT_OUT)


@dataclass(frozen=True, slots=True)
class By:
    """The metric of the scores, whether it is the run's own, and what the verdict, which is by that one, calls tied."""

    metric: str
    is_own: bool
    tied: Sequence[str]


def row_of(each: Mapping[str, Any], by: By, is_first: bool) -> CandidateRow:
    metric = by.metric
    agreement, questions = mapping(each.get("agreement")), mapping(each.get("questions"))
    sure = mapping(each.get("question_intervals"))
    matrix = mapping(each.get("confusion")).get("counts") or ()
    model_type = text_of(each.get("model_type"))
    from_first = pair_of(mapping(each.get("from_first_intervals")).get(metric))
    return CandidateRow(
        integer(each.get("rank", each.get("place"))),
        model_type,
        each["name"] if isinstance(each.get("name"), str) else None,
        numbers(each.get("metrics")).get(metric),
        pair_of(mapping(each.get("intervals")).get(metric)),
        numbers(each.get("holdout")).get(metric),
        pair_of(mapping(each.get("holdout_intervals")).get(metric)),
        numbers(each.get("shuffled")).get(metric),
        _optimism(each, by),
        numbers(each).get("us_per_row"),
        numbers(each).get("threshold"),
        text_of(each.get("served_by")),
        text_of(agreement.get("reason")),
        tuple(tuple(int(count) for count in row) for row in matrix if isinstance(row, list | tuple)),
        numbers(each).get("seconds"),
        text_of(each.get("trouble")) or None,
        is_first and not each.get("not_recommended"),
        _is_tied(from_first, by, model_type, each.get("name")) and not is_first,
        model_type in BASELINE,
        numbers(questions.get("new_device")).get(metric),
        pair_of(mapping(sure.get("new_device")).get(metric)),
        numbers(questions.get("later")).get(metric),
        pair_of(mapping(sure.get("later")).get(metric)),
        numbers(each.get("difference")).get(metric),
        pair_of(mapping(each.get("difference_intervals")).get(metric)),
        each.get("calibrated") is True,
        numbers(each.get("from_first")).get(metric),
        from_first,
        mapping(each.get("parameters")),
    )


def _optimism(each: Mapping[str, Any], by: By) -> float | None:
    """The score on shuffled rows minus the score on the folds. Runs store it only for the metric they rank by."""
    says, score = (numbers(each.get(part)).get(by.metric) for part in ("shuffled", "metrics"))
    if says is not None and score is not None:
        return round(says - score, 6)
    return numbers(each).get("optimism") if by.is_own else None


def _is_tied(from_first: Pair | None, by: By, *names: object) -> bool:
    """Two are tied if the verdict says so, for its own metric, or if the interval of their difference includes 0."""
    if by.is_own and any(name in by.tied for name in names):
        return True
    return from_first is not None and from_first[0] <= 0 <= from_first[1]
