"""`zelador models list`, `show`, `history`: shows the models in the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from command.models.evaluations import evaluations_of, interval_of
from command.models.target import Facts, Home, Json, Key, Name, Url, open_target
from command.output import output, table, when
from command.terminal import print_json, say
from zelador.model_metrics import in_order

COLUMNS = ("", "name", ">rank", "type", "metric", ">folds", ">hold-out", "served by", "saved", "tags")
NARROW_COLUMNS = ("", "name", ">rank", "metric", ">hold-out", "saved")
WIDE_TERMINAL = 130  # characters; a narrower terminal gets fewer columns
NEWEST_FIRST = "-saved_at"
TOP_FIELDS = (
    "name",
    "description",
    "tags",
    "model_type",
    "metrics",
    "holdout",
    "folds",
    "features",
    "units",
    "confusion",
    "evaluations",
)


def list_(
    text: Annotated[
        str, typer.Option("--text", "-q", help="Only models with this text in their name, description, notes or tags.")
    ] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Only models with this tag. May be repeated.")] = None,
    run: Annotated[str | None, typer.Option(help="Only models of this training run.")] = None,
    model_type: Annotated[str | None, typer.Option("--type", help="Only models of this type, such as LGBM.")] = None,
    least: Annotated[
        list[str] | None,
        typer.Option(help="Only models that reach KEY:NUMBER, such as holdout.F1:0.9. May be repeated."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            help="Sort by name, saved_at, rank, holdout.F1, score.F1 (of cross-validation if nothing was held out), …; "
            "a leading - reverses the order. Default: newest run first, its best model first."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The maximum number of models.")] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List the registered models: newest run first, its best model first. ● marks the selected model."""
    from registry.listing import Query
    from registry.listing import least as least_of

    equal = tuple((part, value) for part, value in (("run", run), ("model_type", model_type)) if value is not None)
    reached = tuple(map(least_of, least or ()))
    query = Query(sort or NEWEST_FIRST, equal, reached, tuple(tag or ()), text)
    target = open_target(home, url, key)
    models = by_run(target.models(query))[:limit] if sort is None else target.models(query, limit)
    if as_json:
        print_json(models)
        return
    if not models:
        say(
            "no model matches"
            if query != Query(query.sort)
            else "no model is registered yet; run zelador train or zelador demo"
        )
        return
    console = output()
    columns = COLUMNS if console.width >= WIDE_TERMINAL else NARROW_COLUMNS
    console.print(table(columns, [_row(facts, columns) for facts in models], whole=("name", "saved")))


def show(name: Name, home: Home = None, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show one model with all its metadata and metrics."""
    facts = open_target(home, url, key).model(name)
    if as_json:
        print_json(facts)
        return
    console = output()
    fields = [("name", facts["name"] + ("   ● selected" if facts.get("selected") else ""))]
    fields += [(part, _text(facts.get(part))) for part in ("description", "tags", "model_type") if facts.get(part)]
    units = part_of(facts, "units")
    features = [f"{each} ({units[each]})" if units.get(each) else str(each) for each in listed(facts.get("features"))]
    fields.append(("features", ", ".join(features)))
    fields += [
        (part, _text(value)) for part, value in facts.items() if part not in TOP_FIELDS and value not in (None, "")
    ]
    console.print(table(("", ""), [(Text(part.replace("_", " "), "bold"), value) for part, value in fields]))
    if scored := metrics_of([facts]):
        folds = part_of(facts, "folds")
        rows = [
            (metric, score_of(facts, "metrics", metric), _spread(folds.get(metric)), score_of(facts, "holdout", metric))
            for metric in scored
        ]
        console.print()
        console.print(table(("metric", ">folds", ">lowest to highest", ">hold-out"), rows))
        if facts.get("positive"):
            say(f"Recall, Precision and F1 are those of the class {facts['positive']!r}.")
    for each in evaluations_of(facts):
        console.print()
        say(each.title)
        console.print(table(("metric", ">score", "95 % interval"), each.rows()))
    confusion = part_of(facts, "confusion")
    labels, counted = listed(confusion.get("labels")), [listed(row) for row in listed(confusion.get("counts"))]
    if labels and [len(row) for row in counted] == [len(labels)] * len(labels):
        console.print()
        head = ("on the hold-out", *(f">predicted {label}" for label in labels))
        rows_ = [(f"actual {label}", *counts) for label, counts in zip(labels, counted, strict=True)]
        console.print(table(head, rows_))


def history(
    name: Annotated[str | None, typer.Argument(help="Only selections of this model.")] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show all selections, newest first: the model, when, by whom and why."""
    found = [each for each in open_target(home, url, key).history() if name is None or each["model"] == name]
    if as_json:
        print_json(found)
        return
    rows = [
        (when(e["at"]), e["model"], "rolled back" if e.get("rolled_back") else "selected", e["by"], e["why"],
         e["sequence"])
        for e in found
    ]  # fmt: skip
    columns = ("at (UTC)", "model", "", "by", "why", ">entry")
    output().print(table(columns, rows, whole=("at (UTC)", "model", "")) if found else "no model was selected yet")


# ── inside ───────────────────────────────────────────────────────────────────────────────────


def _row(facts: Facts, columns: Sequence[str]) -> Sequence[object]:
    metric = str(facts.get("metric") or "")
    saved = when(facts.get("saved_at"))
    cells = {
        "": "●" if facts.get("selected") else "",
        "name": facts["name"],
        ">rank": facts.get("rank") or "–",
        "type": facts.get("model_type"),
        "metric": metric,
        ">folds": score_of(facts, "metrics", metric),
        ">hold-out": score_of(facts, "holdout", metric),
        "served by": facts.get("served_by"),
        "saved": saved if columns is COLUMNS else saved[:10],
        "tags": ", ".join(map(str, listed(facts.get("tags")))),
    }
    return [cells[column] for column in columns]


def by_run(models: Sequence[Facts]) -> list[Facts]:
    """Groups the models of each run, the best first, at the place of its newest model. Others stay in order."""
    places: dict[object, int] = {}
    for place, facts in enumerate(models):
        places.setdefault(facts.get("run") or facts["name"], place)

    def order(facts: Facts) -> tuple[int, float]:
        rank = facts.get("rank")
        return places[facts.get("run") or facts["name"]], rank if isinstance(rank, int | float) else 0.0

    return sorted(models, key=order)


def metrics_of(models: Sequence[Facts], part: str | None = None) -> list[str]:
    """Returns all metrics of the models, or those of a part, the known metrics first."""
    parts = ("metrics", "holdout") if part is None else (part,)
    found = {m for facts in models for each in parts for m in _scores(facts, each)}
    return in_order(found)


def _scores(facts: Facts, part: str) -> Mapping[str, Any]:
    """Returns the metrics of a part: `metrics`, `holdout`, or an evaluation by its digest."""
    if part in ("metrics", "holdout"):
        return part_of(facts, part)
    return next((each.metrics for each in evaluations_of(facts) if each.digest == part), {})


def value_of(facts: Mapping[str, Any], part: str, metric: str) -> float | None:
    found = _scores(facts, part).get(metric)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def interval_in(facts: Facts, part: str, metric: str) -> tuple[float, float] | None:
    if part in ("metrics", "holdout"):
        found = part_of(facts, "intervals" if part == "metrics" else "holdout_intervals").get(metric)
    else:
        found = next((each.intervals.get(metric) for each in evaluations_of(facts) if each.digest == part), None)
    return interval_of(found)


def score_of(facts: Mapping[str, Any], part: str, metric: str) -> str:
    value = value_of(facts, part, metric)
    return "–" if value is None else f"{value:.4f}"


def _spread(scores: object) -> str:
    known = [each for each in listed(scores) if isinstance(each, int | float)]
    return f"{min(known):.4f} to {max(known):.4f}" if known else "–"


def part_of(facts: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    """Returns the mapping at `part`; empty if an API of another version, or an old entry, has another type."""
    found = facts.get(part)
    return found if isinstance(found, Mapping) else {}


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)
