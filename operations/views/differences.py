"""Models side by side: only the fields in which they differ, and their scores with differences to one of them. Pure.

The facts are those of registry/facts.py or of a run's document: metadata, of which any key may be absent or damaged.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from operations.views.metadata import Pair, numbers, pair_of
from registry.metadata import mapping
from zelador.errors import NotFound
from zelador.model_metrics import in_order
from zelador.table.formula import harmless

Facts = Mapping[str, Any]

PLAIN = (
    "model_type", "run", "rank", "metric", "positive", "threshold", "calibrated", "served_by", "us_per_row", "features",
    "classes", "description", "notes", "tags",
)  # fmt: skip
NESTED = ("parameters", "costs", "data", "split", "versions")  # their keys are fields: parameters.max_depth
SKIPPED = ("data.notes", "split.notes", "split.questions")
PARTS = {"holdout": "holdout_intervals", "metrics": "intervals"}
MAX_VALUE = 500  # characters of a field's value


class FieldRow(TypedDict):
    """A field in which the models differ."""

    field: Annotated[str, Field(description="Name of the field, such as model_type or parameters.max_depth.")]
    values: Annotated[list[Any], Field(description="Value for each model, any JSON; null if a model has none.")]


class ScoreRow(TypedDict):
    """A metric of each model, in the order of the models."""

    part: Annotated[str, Field(description="holdout, or metrics: over all folds together.")]
    metric: Annotated[str, Field(description="Name of the metric.")]
    values: Annotated[list[float | None], Field(description="The scores; null if not defined.")]
    intervals: Annotated[list[Pair | None], Field(description="95 % interval of each: low, high; null without one.")]
    deltas: Annotated[
        list[float | None], Field(description="Difference of each from the reference; positive if it is higher.")
    ]
    delta_intervals: Annotated[
        list[Pair | None],
        Field(description="95 % interval of each difference, of answers to the same rows; null if it is not known."),
    ]


class SideBySide(TypedDict):
    """Models side by side."""

    reference: Annotated[str, Field(description="The model that differences are from.")]
    models: Annotated[list[str], Field(description="Names of the models; run/rank of those that are not registered.")]
    differs: Annotated[list[FieldRow], Field(description="The fields in which they differ.")]
    scores: Annotated[list[ScoreRow], Field(description="Scores of the models.")]
    notes: Annotated[list[str], Field(description="Warnings about the comparison.")]


def side_by_side(models: Sequence[Facts], reference: str | None = None) -> SideBySide:
    """`reference`: the name of one of them; without it the selected one, else the first. Raises NotFound."""
    names = [str(facts.get("name")) for facts in models]
    if reference is not None and reference not in names:
        raise NotFound(f"the reference {reference!r} is not one of the models: {', '.join(names[:20])}")
    selected = next((name for name, facts in zip(names, models, strict=True) if facts.get("selected")), names[0])
    base = models[names.index(reference or selected)]
    return SideBySide(
        reference=str(base.get("name")),
        models=names,
        differs=_differing(models),
        scores=[row for part in PARTS for row in _scores(models, base, part)],
        notes=_notes(models),
    )


def _differing(models: Sequence[Facts]) -> list[FieldRow]:
    flat = [_flat(facts) for facts in models]
    known: dict[str, None] = {field: None for each in flat for field in each}
    found = []
    for field in known:
        values = [each.get(field) for each in flat]
        if any(value != values[0] for value in values):
            found.append(FieldRow(field=field, values=values))
    return found


def _flat(facts: Facts) -> dict[str, Any]:
    found = {field: facts[field] for field in PLAIN if facts.get(field) not in (None, "", [])}
    for part in NESTED:
        nested = facts.get(part)
        if isinstance(nested, Mapping):
            found |= {f"{part}.{key}": value for key, value in nested.items()}
    return {field: _short(value) for field, value in found.items() if field not in SKIPPED}


def _short(value: Any) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


def _scores(models: Sequence[Facts], base: Facts, part: str) -> list[ScoreRow]:
    scored = [numbers(facts.get(part)) for facts in models]
    spans = [mapping(facts.get(PARTS[part])) for facts in models]
    names = {metric for each in scored for metric in each}
    from_base = numbers(base.get(part))
    found = []
    for metric in in_order(names):
        values = [each.get(metric) for each in scored]
        own = from_base.get(metric)
        deltas = [None if value is None or own is None else round(value - own, 6) for value in values]
        found.append(
            ScoreRow(
                part=part,
                metric=metric,
                values=values,
                intervals=[pair_of(each.get(metric)) for each in spans],
                deltas=deltas,
                delta_intervals=[_delta_interval(facts, base, part, metric) for facts in models],
            )
        )
    return found


def _delta_interval(facts: Facts, base: Facts, part: str, metric: str) -> Pair | None:
    """The trainer's interval, from both models' answers: the other is the run's first or the model live then."""
    if facts is base:
        return None
    if part == "metrics" and _same_run(facts, base):
        if base.get("rank") == 1:
            return pair_of(mapping(facts.get("from_first_intervals")).get(metric))
        if facts.get("rank") == 1:
            return _turned(pair_of(mapping(base.get("from_first_intervals")).get(metric)))
    if part == "holdout" and base.get("name") is not None and _live_of(facts) == base.get("name"):
        return pair_of(mapping(facts.get("difference_intervals")).get(metric))
    if part == "holdout" and facts.get("name") is not None and _live_of(base) == facts.get("name"):
        return _turned(pair_of(mapping(base.get("difference_intervals")).get(metric)))
    return None


def _live_of(facts: Facts) -> Any:
    """The name of the model that was live at training."""
    found = facts.get("reference")
    return found.get("name") if isinstance(found, Mapping) else found


def _turned(pair: Pair | None) -> Pair | None:
    return None if pair is None else (-pair[1], -pair[0])


def _same_run(facts: Facts, base: Facts) -> bool:
    return facts.get("run") is not None and facts.get("run") == base.get("run")


def _notes(models: Sequence[Facts]) -> list[str]:
    found = []
    if len({_as_key(mapping(facts.get("data")).get("sha256")) for facts in models}) > 1:
        found.append("the models were trained on different data, so their scores are not directly comparable")
    if len({_as_key(facts.get("positive")) for facts in models}) > 1:
        found.append("Recall, Precision, F1 and PR-AUC are of different classes")
    return found


def _as_key(value: Any) -> str:
    return json.dumps(value, default=str)


def of_document(document: Facts) -> list[dict[str, Any]]:
    """The facts of each model of a run's document, the recommended one first."""
    shared = {key: document.get(key) for key in ("run", "metric", "positive", "data", "split", "features", "classes")}
    found = []
    for each in document.get("models") or ():
        if isinstance(each, Mapping):
            name = each.get("name") or f"{document.get('run')}/{each.get('rank')}"
            found.append({**shared, **each, "name": name, "reference": document.get("reference")})
    return found


def live_of_document(document: Facts) -> dict[str, Any] | None:
    """The facts of the model that was live when the run began; None if there was none, or it could not be judged."""
    live = document.get("reference")
    if not isinstance(live, Mapping) or not numbers(live.get("holdout")):
        return None
    return {**live, "data": document.get("data"), "positive": document.get("positive")}


# ── as CSV ───────────────────────────────────────────────────────────────────────────────────


def as_csv(found: SideBySide) -> str:
    """A row for each model, a column for each field in which they differ, five for each metric."""
    columns: dict[str, list[Any]] = {"model": list(found["models"])}
    columns |= {row["field"]: row["values"] for row in found["differs"]}
    for row in found["scores"]:
        name = f"{row['part']}.{row['metric']}"
        columns[name] = list(row["values"])
        columns[f"{name}.low"], columns[f"{name}.high"] = _ends(row["intervals"])
        columns[f"{name}.delta"] = list(row["deltas"])
        columns[f"{name}.delta.low"], columns[f"{name}.delta.high"] = _ends(row["delta_intervals"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([[_cell(values[place]) for values in columns.values()] for place in range(len(found["models"]))])
    return text.getvalue()


def _ends(pairs: Sequence[Pair | None]) -> tuple[list[float | None], list[float | None]]:
    return [None if pair is None else pair[0] for pair in pairs], [None if pair is None else pair[1] for pair in pairs]


def _cell(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value
