"""`zelador models list`, `show`, `compare`, `history`: inspect the models in the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from command.models.target import Facts, Home, Json, Key, Name, Names, Target, Url, open_target
from command.output import output, table, when
from command.terminal import print_json, say, say_text
from zelador.errors import InvalidInput, NotFound

COLUMNS = ("", "name", ">rank", "type", "metric", ">folds", ">hold-out", "served by", "saved", "tags")
NARROW_COLUMNS = ("", "name", ">rank", "metric", ">hold-out", "saved")
WIDE_TERMINAL = 130  # characters; a narrower terminal gets fewer columns
HEAD_WIDTH = 24  # characters in the first column of a comparison
METRICS = ("Accuracy", "AUC", "Recall", "Precision", "F1", "Kappa", "MCC")
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
)


def list_(
    text: Annotated[
        str, typer.Option("--text", "-q", help="Only models with this text in their name or description.")
    ] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Only models with this tag. May be repeated.")] = None,
    run: Annotated[str | None, typer.Option(help="Only models of this training run.")] = None,
    model_type: Annotated[str | None, typer.Option("--type", help="Only models of this type, such as LGBM.")] = None,
    least: Annotated[
        list[str] | None,
        typer.Option(help="Only models that reach KEY:NUMBER, such as holdout.F1:0.9. May be repeated."),
    ] = None,
    sort: Annotated[
        str, typer.Option(help="Sort by name, saved_at, rank, holdout.F1, …; a leading - reverses the order.")
    ] = "-saved_at",
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
    query = Query(sort, equal, reached, tuple(tag or ()), text)
    models = open_target(home, url, key).models(query, limit)
    if as_json:
        print_json(models)
        return
    if not models:
        say(
            "no model matches"
            if query != Query(sort)
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
    units = _part(facts, "units")
    features = [f"{each} ({units[each]})" if units.get(each) else str(each) for each in _listed(facts.get("features"))]
    fields.append(("features", ", ".join(features)))
    fields += [
        (part, _text(value)) for part, value in facts.items() if part not in TOP_FIELDS and value not in (None, "")
    ]
    console.print(table(("", ""), [(Text(part.replace("_", " "), "bold"), value) for part, value in fields]))
    if scored := _metrics([facts]):
        folds = _part(facts, "folds")
        rows = [
            (metric, _score(facts, "metrics", metric), _spread(folds.get(metric)), _score(facts, "holdout", metric))
            for metric in scored
        ]
        console.print()
        console.print(table(("metric", ">folds, mean", ">lowest to highest", ">hold-out"), rows))
    confusion = _part(facts, "confusion")
    labels, counted = _listed(confusion.get("labels")), [_listed(row) for row in _listed(confusion.get("counts"))]
    if labels and [len(row) for row in counted] == [len(labels)] * len(labels):
        console.print()
        head = ("on the hold-out", *(f">predicted {label}" for label in labels))
        rows_ = [(f"actual {label}", *counts) for label, counts in zip(labels, counted, strict=True)]
        console.print(table(head, rows_))


def compare(names: Names = None, home: Home = None, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Compare models side by side. Default: the models of the newest training run and the selected model.

    * marks the best model of each metric.
    """
    target = open_target(home, url, key)
    models = [target.model(name) for name in dict.fromkeys(names)] if names else _newest_run(target)
    if len(models) < 2:
        raise InvalidInput("name at least two models to compare (see zelador models list)")
    if as_json:
        highest = {part: {m: _best(models, part, m) for m in _metrics(models)} for part in ("metrics", "holdout")}
        print_json({"models": models, "best": highest})
        return
    console = output()
    rows: list[Sequence[object]] = [
        ("selected", *("●" if facts.get("selected") else "" for facts in models)),
        ("rank in its run", *(facts.get("rank") or "–" for facts in models)),
        ("served by", *(facts.get("served_by") for facts in models)),
        ("rows", *(_part(facts, "data").get("rows", "–") for facts in models)),
        ("saved", *(when(facts.get("saved_at"))[:10] for facts in models)),
    ]
    for part, title in (("holdout", "hold-out"), ("metrics", "folds")):
        for metric in _metrics(models):
            best = _best(models, part, metric)
            cells = [_marked(_score(facts, part, metric), facts["name"] in best) for facts in models]
            rows.append((f"{metric}, {title}", *cells))
    names_fit = HEAD_WIDTH + sum(len(facts["name"]) + 2 for facts in models) <= console.width
    heads = [facts["name"] for facts in models] if names_fit else [str(i + 1) for i in range(len(models))]
    console.print(table(("", *(f">{head}" for head in heads)), rows, whole=("", *heads)))
    if not names_fit:
        console.print()
        legend = [(head, facts["name"], facts.get("model_type")) for head, facts in zip(heads, models, strict=True)]
        console.print(table(("", "name", "type"), legend))
    if len({json.dumps(_part(facts, "data").get("sha256")) for facts in models}) > 1:
        say_text("\nThe models were trained on different data, so their metrics are not directly comparable.")


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
        ">rank": facts.get("rank") or "",
        "type": facts.get("model_type"),
        "metric": metric,
        ">folds": _score(facts, "metrics", metric),
        ">hold-out": _score(facts, "holdout", metric),
        "served by": facts.get("served_by"),
        "saved": saved if columns is COLUMNS else saved[:10],
        "tags": ", ".join(map(str, _listed(facts.get("tags")))),
    }
    return [cells[column] for column in columns]


def _newest_run(target: Target) -> list[Facts]:
    """The models of the newest run, by rank, and the selected one. A run's id begins with its time."""
    from registry.listing import Query

    run = next((facts.get("run") for facts in target.models(Query("-run"), 1)), None)
    if run is None:
        raise NotFound("no model comes from a training run; name the models to compare")
    chosen = target.models(Query("rank", (("run", run),)))
    selected = target.selected()
    if selected is not None and all(facts["name"] != selected for facts in chosen):
        chosen.append(target.model(selected))
    return chosen


def _metrics(models: Sequence[Facts]) -> list[str]:
    """All metrics of the models, the known ones first."""
    found = {m for facts in models for part in ("metrics", "holdout") for m in _part(facts, part)}
    return [metric for metric in METRICS if metric in found] + sorted(found - set(METRICS))


def _value(facts: Mapping[str, Any], part: str, metric: str) -> float | None:
    found = _part(facts, part).get(metric)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _best(models: Sequence[Facts], part: str, metric: str) -> list[str]:
    scored = {facts["name"]: _value(facts, part, metric) for facts in models}
    highest = max((value for value in scored.values() if value is not None), default=None)
    return [name for name, value in scored.items() if value is not None and value == highest]


def _score(facts: Mapping[str, Any], part: str, metric: str) -> str:
    value = _value(facts, part, metric)
    return "–" if value is None else f"{value:.4f}"


def _marked(text: str, best: bool) -> Text:
    return Text(f"* {text}", "bold") if best else Text(text)


def _spread(scores: object) -> str:
    known = [each for each in _listed(scores) if isinstance(each, int | float)]
    return f"{min(known):.4f} to {max(known):.4f}" if known else "–"


def _part(facts: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    """The mapping at `part`, or an empty one: an API of another version, or an old entry, may have another type."""
    found = facts.get(part)
    return found if isinstance(found, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)
