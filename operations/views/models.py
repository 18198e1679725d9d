"""Models as pages show them: a row of the list, and one model beside the selected one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from operations.views.metadata import Pair, integer, numbers, pair_of, text_of, time_of
from operations.views.report import Range, Report, report_of
from operations.views.same_test import Doubts, SameTest, doubts, metric_of, same_test
from registry.listing import NEWEST_FIRST, Query
from registry.log.state import Model, Selection, State
from registry.metadata import mapping
from registry.registry import Registry
from zelador.model_metrics import METRICS

ModelState = Literal["selected", "before", "never"]  # whether it was selected
BY_STATE = "state"  # a `Query.sort` of `model_rows` only: the registry's log has the state, not the model's metadata


@dataclass(frozen=True, slots=True)
class ModelRow:
    """`score` and `auc` were measured on rows that the model did not learn from, else by cross-validation."""

    name: str
    model_type: str
    tags: tuple[str, ...]
    score: float | None
    interval: tuple[float, float] | None  # 95 % of the score
    auc: float | None
    rank: int | None
    run: str | None
    served_by: str
    saved_at: str
    saved_by: str
    is_selected: bool
    was_selected_at: str | None  # when it was last selected, if it is not now


@dataclass(frozen=True, slots=True)
class MetricRow:
    name: str
    value: float | None
    interval: tuple[float, float] | None
    selected: float | None  # of the selected model
    difference: float | None
    difference_interval: Pair | None  # if both were tested on the same readings
    folds: tuple[float, float, float] | None  # low, mean and high of cross-validation, if no interval is known


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """The score by the run's metric on held-out readings of new devices (`new_device`) or of later days (`later`)."""

    name: str
    score: float
    interval: Pair | None


@dataclass(frozen=True, slots=True)
class FeatureRow:
    name: str
    unit: str
    seen: Range | None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """An entry of the registry's log. `what` is one of registered, selected, rolled back, replaced, rolled back from.

    The last two end a selection of the model; `other` is the model that was selected then.
    """

    at: str
    what: str
    by: str
    why: str
    sequence: int
    other: str = ""


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The data that a model was trained and tested on, as far as its metadata has it."""

    rows: int | None  # labeled
    learned: int | None  # of these, by the model; the others were held out, or too near to those
    held_out: int | None
    begin: str | None  # ISO 8601
    end: str | None
    shares: Mapping[str, float]  # share of the rows, by class
    digest: str


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """Why a model runs as pipeline or ONNX; what each takes for one reading, in batches."""

    reason: str
    rows: int | None
    differ: int | None  # labels
    onnx_us: float | None
    pipeline_us: float | None


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs or the recall by which the threshold was chosen; None if not given."""

    missed: float | None
    false_alarm: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class ModelDetail:
    row: ModelRow
    description: str
    notes: str
    digest: str
    metrics: tuple[MetricRow, ...]
    is_held_out: bool  # the metrics are of rows that were held out
    rows: int | None
    features: tuple[FeatureRow, ...]
    classes: tuple[str, ...]
    positive: str | None
    agreement: AgreementFacts
    data: TrainedOn
    versions: Mapping[str, str]
    size: int  # bytes of its files
    is_signed: bool
    report: Report | None
    history: tuple[HistoryRow, ...]
    selected: str | None  # the selected model's name
    etag: str
    threshold: float | None  # lowest probability at which the positive class is predicted
    costs: Costs
    is_calibrated: bool
    is_not_recommended: bool  # by the verdict of its run

    selected_threshold: float | None
    metric: str  # that its run ranked by
    questions: tuple[QuestionScore, ...]  # if the run asked both
    same: SameTest  # with the selected model, by what their runs stored
    doubts: Doubts

    @property
    def axis(self) -> tuple[float, float]:
        """A range that shows all intervals and the selected model's values."""
        shown = [each for row in self.metrics for each in (row.value, row.selected, *(row.interval or row.folds or ()))]
        known = [value for value in shown if value is not None]
        low, high = min(known, default=0.0), max(known, default=1.0)
        room = (high - low) * 0.05 or 0.05
        return (max(-1.0, low - room), min(1.0, high + room))

    @property
    def is_same_test(self) -> bool:
        """True if a run tested it and the selected model on the same readings."""
        return bool(self.same.differences)

    @property
    def told_apart(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """The metrics in which it is clearly better than the selected model, and clearly worse; None if unknown."""
        pairs = self.same.intervals
        if not pairs:
            return None
        better = tuple(row.name for row in self.metrics if row.name in pairs and pairs[row.name][0] > 0)
        return better, tuple(row.name for row in self.metrics if row.name in pairs and pairs[row.name][1] < 0)

    @property
    def is_compared(self) -> bool:
        """True if the selected model has scores to compare with."""
        return any(row.selected is not None for row in self.metrics)


def model_rows(
    registry: Registry, query: Query, limit: int, offset: int, state_of: ModelState | None = None
) -> tuple[list[ModelRow], int]:
    """A page of models, and how many match. Raises InvalidInput, Unavailable, Corrupt."""
    state = registry.sync()
    last = {selection.model: selection for selection in state.history}
    is_by_state = query.sort.removeprefix("-") == BY_STATE
    found = registry.find(replace(query, sort=NEWEST_FIRST) if is_by_state else query)
    if is_by_state:
        found = _by_state(found, last, query.sort[:1] == "-")
    if state_of is not None:
        live = None if state.selection is None else state.selection.model
        states = {name: "selected" if name == live else "before" for name in last}
        found = tuple(model for model in found if states.get(model.name, "never") == state_of)
    return [_row(model, state, last) for model in found[offset : offset + limit]], len(found)


def _by_state(models: Sequence[Model], last: Mapping[str, Selection], is_reversed: bool) -> tuple[Model, ...]:
    """The selected model, those that were selected before, the last one first, and those that never were."""
    entries = {name: selection.sequence for name, selection in last.items()}
    return tuple(sorted(models, key=lambda model: entries.get(model.name, 0), reverse=not is_reversed))


def newest_run(registry: Registry) -> str | None:
    """The training run of the newest model; None if no run made it."""
    newest = next(iter(registry.find(Query(NEWEST_FIRST))), None)
    return None if newest is None else text_of(newest.metadata.get("run")) or None


def model_types(registry: Registry) -> list[str]:
    """The types of all models, for a filter."""
    types = {model.metadata.get("model_type") for model in registry.sync().models.values()}
    return sorted(each for each in types if isinstance(each, str))


def model_detail(registry: Registry, name: str) -> ModelDetail:
    """One model, beside the selected one. Raises ModelNotFound, ModelRefused, Unavailable."""
    state = registry.sync()
    model = state.model(name)
    selected = None if state.selection is None else state.models.get(state.selection.model)
    manifest = registry.manifest(name)
    report = report_of(registry, name)
    values, is_held_out = scores(model)
    others = {} if selected is None or selected.name == name else scores(selected)[0]
    intervals = mapping(model.metadata.get("holdout_intervals"))
    classes = tuple(map(str, manifest.classes))
    positive = model.metadata.get("positive")
    has_interval = any(pair_of(each) for each in intervals.values())
    folds = {} if has_interval or not is_held_out else _folds(model)
    same = same_test(model, selected)
    rows = tuple(_metric(each, values, others, intervals, folds, same) for each in METRICS if each in values)
    training = {} if report is None else report.training
    costs = numbers(model.metadata.get("costs"))
    held_out = model.metadata.get("holdout_rows")
    return ModelDetail(
        _row(model, state, {selection.model: selection for selection in state.history}),
        text_of(model.metadata.get("description")),
        text_of(model.metadata.get("notes")),
        model.digest,
        rows,
        is_held_out,
        held_out if isinstance(held_out, int) else None if report is None else report.rows,
        tuple(
            FeatureRow(f.name, f.unit, training.get(f.name) or _range(f.minimum, f.maximum)) for f in manifest.features
        ),
        classes,
        positive if isinstance(positive, str) else classes[-1] if len(classes) == 2 else None,
        _agreement(model.metadata),
        _trained_on(model.metadata),
        {str(k): str(v) for k, v in mapping(model.metadata.get("versions")).items()},
        sum(file.size for file in manifest.files.values()),
        bool(manifest.signature),
        report,
        _history(model, state),
        None if state.selection is None else state.selection.model,
        f'"{state.etag}"',
        manifest.threshold.value if manifest.threshold else numbers(model.metadata).get("threshold"),
        Costs(costs.get("missed"), costs.get("false_alarm"), costs.get("recall")),
        model.metadata.get("calibrated") is True,
        model.metadata.get("not_recommended") is True,
        None if selected is None else numbers(selected.metadata).get("threshold"),
        metric_of(model.metadata),
        _questions(model.metadata),
        same,
        doubts(state, name),
    )


def scores(model: Model) -> tuple[dict[str, float], bool]:
    """The model's scores by metric; True if they are of rows that were held out."""
    held_out = numbers(model.metadata.get("holdout"))
    return (held_out, True) if held_out else (numbers(model.metadata.get("metrics")), False)


def _questions(facts: Mapping[str, Any]) -> tuple[QuestionScore, ...]:
    metric, sure = metric_of(facts), mapping(facts.get("question_intervals"))
    asked = {name: numbers(mapping(facts.get("questions")).get(name)).get(metric) for name in ("new_device", "later")}
    return tuple(
        QuestionScore(name, score, pair_of(mapping(sure.get(name)).get(metric)))
        for name, score in asked.items()
        if score is not None and None not in asked.values()
    )


def _folds(model: Model) -> dict[str, tuple[float, float, float]]:
    """Low, mean and high of cross-validation by metric, where it has an interval."""
    means, intervals = numbers(model.metadata.get("metrics")), mapping(model.metadata.get("intervals"))
    pairs = {name: pair_of(intervals.get(name)) for name in means}
    return {name: (pair[0], means[name], pair[1]) for name, pair in pairs.items() if pair is not None}


def _trained_on(facts: Mapping[str, Any]) -> TrainedOn:
    data = mapping(facts.get("data"))
    rows, counts = data.get("rows"), numbers(data.get("classes"))
    known = rows if isinstance(rows, int) and rows > 0 else None
    shares = {name: count / known for name, count in counts.items()} if known else {}
    return TrainedOn(
        known,
        integer(facts.get("train_rows")) or None,
        integer(facts.get("holdout_rows")) or None,
        time_of(data.get("from")),
        time_of(data.get("to")),
        shares,
        text_of(data.get("digest") or data.get("sha256")),  # as the training page and the run name it
    )


def _agreement(facts: Mapping[str, Any]) -> AgreementFacts:
    found = mapping(facts.get("agreement"))
    figures, times = numbers(found), _times(facts)
    rows, differ = figures.get("rows"), figures.get("labels_that_differ")
    return AgreementFacts(
        text_of(found.get("reason")),
        None if rows is None else int(rows),
        None if differ is None else int(differ),
        times.get("onnx"),
        times.get("pipeline"),
    )


def _times(facts: Mapping[str, Any]) -> dict[str, float]:
    """The µs that each form takes for a reading. The agreement has those of all readings that were timed together."""
    took = numbers(facts.get("agreement"))
    together = {form: took[f"{form}_us"] for form in ("onnx", "pipeline") if took.get(f"{form}_us", 0.0) > 0}
    served, each = together.get(text_of(facts.get("served_by"))), numbers(facts).get("us_per_row")
    return {} if served is None or each is None else {form: us * each / served for form, us in together.items()}


def _range(minimum: float | None, maximum: float | None) -> Range | None:
    return None if minimum is None or maximum is None else Range(minimum, maximum)


def _metric(
    name: str,
    values: Mapping[str, float],
    others: Mapping[str, float],
    intervals: Mapping[str, Any],
    folds: Mapping[str, tuple[float, float, float]],
    same: SameTest,
) -> MetricRow:
    """The score of the selected model on the same readings, if a run tested it on them; else its own score."""
    value, other = values.get(name), others.get(name)
    difference = None if value is None or other is None else value - other
    if same.differences:
        difference = same.differences.get(name)
        other = None if value is None or difference is None else value - difference
    sure = same.intervals.get(name)
    return MetricRow(name, value, pair_of(intervals.get(name)), other, difference, sure, folds.get(name))


def _row(model: Model, state: State, last: Mapping[str, Selection]) -> ModelRow:
    metadata = model.metadata
    values, _ = scores(model)
    score = values.get("F1")
    rank, run = metadata.get("rank"), metadata.get("run")
    is_selected = state.selection is not None and state.selection.model == model.name
    before = last.get(model.name)
    return ModelRow(
        model.name,
        text_of(metadata.get("model_type")) or "",
        tuple(map(str, model.tags)),
        score,
        None if score is None else pair_of(mapping(metadata.get("holdout_intervals")).get("F1")),
        values.get("AUC"),
        rank if isinstance(rank, int) else None,
        run if isinstance(run, str) else None,
        text_of(metadata.get("served_by")),
        model.saved_at,
        model.saved_by,
        is_selected,
        None if is_selected or before is None else before.at,
    )


def _history(model: Model, state: State) -> tuple[HistoryRow, ...]:
    rows = [HistoryRow(model.saved_at, "registered", model.saved_by, "", model.seq)]
    before: Selection | None = None
    for each in state.history:
        if each.model == model.name:
            what = "rolled back" if each.rolled_back else "selected"
            rows.append(HistoryRow(each.at, what, each.by, each.why, each.sequence))
        elif before is not None and before.model == model.name:
            what = "rolled back from" if each.rolled_back else "replaced"
            rows.append(HistoryRow(each.at, what, each.by, each.why, each.sequence, each.model))
        before = each
    return tuple(reversed(rows))
