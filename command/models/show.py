"""`zelador models list`, `show`, `compare`, `history`: what is there, and which is better."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from command.models.target import Facts, Home, Json, Key, Name, Names, Place, Url, open_place
from command.output import output, table, when
from command.terminal import print_json, say, say_text
from zelador.errors import InvalidInput, NotFound

COLUMNS = ("", "name", "type", "metric", ">folds", ">hold-out", "served by", "saved", "tags")
FEWER = ("", "name", "metric", ">hold-out", "saved")
WIDE_ENOUGH = 130  # characters of a terminal that has room for all columns
HEAD = 24  # characters of the first column of a comparison
METRICS = ("Accuracy", "AUC", "Recall", "Precision", "F1", "Kappa", "MCC")
SHOWN = ("name", "description", "tags", "model_type", "metrics", "holdout", "folds", "features", "units", "confusion")


def list_(
    text: Annotated[str, typer.Option("--text", "-q", help="Only those with this in their name or description.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option(help="Only those that have this tag; again for more of them.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Only those of this training run.")] = None,
    model_type: Annotated[str | None, typer.Option("--type", help="Only those of this type, such as LGBM.")] = None,
    least: Annotated[
        list[str] | None, typer.Option(help="KEY:NUMBER: only those that reach it, such as holdout.F1:0.9.")
    ] = None,
    sort: Annotated[
        str, typer.Option(help="name, saved_at, rank, holdout.F1, …; with - before it the largest first.")
    ] = "-saved_at",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """The registered models, the newest first; ● is the selected one."""
    from registry.listing import Query
    from registry.listing import least as least_of

    equal = tuple((part, value) for part, value in (("run", run), ("model_type", model_type)) if value is not None)
    reached = tuple(map(least_of, least or ()))
    query = Query(sort, equal, reached, tuple(tag or ()), text)
    models = open_place(home, url, key).models(query, limit)
    if as_json:
        print_json(models)
        return
    if not models:
        say(
            "no model is like that"
            if query != Query(sort)
            else "no model is registered yet: zelador train, or zelador demo"
        )
        return
    console = output()
    columns = COLUMNS if console.width >= WIDE_ENOUGH else FEWER
    console.print(table(columns, [_row(facts, columns) for facts in models], whole=("name", "saved")))


def show(name: Name, home: Home = None, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """All that is known of one model."""
    facts = open_place(home, url, key).model(name)
    if as_json:
        print_json(facts)
        return
    console = output()
    told = [("name", facts["name"] + ("   ● selected" if facts.get("selected") else ""))]
    told += [(part, _text(facts.get(part))) for part in ("description", "tags", "model_type") if facts.get(part)]
    units = _part(facts, "units")
    features = [f"{each} ({units[each]})" if units.get(each) else str(each) for each in _listed(facts.get("features"))]
    told.append(("features", ", ".join(features)))
    told += [(part, _text(value)) for part, value in facts.items() if part not in SHOWN and value not in (None, "")]
    console.print(table(("", ""), [(Text(part.replace("_", " "), "bold"), value) for part, value in told]))
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
    """Models side by side, with every metric; without names, those of the newest training run and the selected one.

    The best of each row is marked with *.
    """
    place = open_place(home, url, key)
    models = [place.model(name) for name in dict.fromkeys(names)] if names else _newest_run(place)
    if len(models) < 2:
        raise InvalidInput("name at least two models to compare (zelador models list shows what there is)")
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
    for part, called in (("holdout", "hold-out"), ("metrics", "folds")):
        for metric in _metrics(models):
            best = _best(models, part, metric)
            cells = [_marked(_score(facts, part, metric), facts["name"] in best) for facts in models]
            rows.append((f"{metric}, {called}", *cells))
    names_fit = HEAD + sum(len(facts["name"]) + 2 for facts in models) <= console.width
    heads = [facts["name"] for facts in models] if names_fit else [str(i + 1) for i in range(len(models))]
    console.print(table(("", *(f">{head}" for head in heads)), rows, whole=("", *heads)))
    if not names_fit:
        console.print()
        told = [(head, facts["name"], facts.get("model_type")) for head, facts in zip(heads, models, strict=True)]
        console.print(table(("", "name", "type"), told))
    if len({json.dumps(_part(facts, "data").get("sha256")) for facts in models}) > 1:
        say_text("\nThey learned from different data: their figures are not of the same rows.")


def history(
    name: Annotated[str | None, typer.Argument(help="Only this model's.")] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Every selection, the newest first: which model, since when, by whom, why."""
    found = [each for each in open_place(home, url, key).history() if name is None or each["model"] == name]
    if as_json:
        print_json(found)
        return
    rows = [
        (when(e["at"]), e["model"], "rolled back" if e.get("rolled_back") else "selected", e["by"], e["why"],
         e["sequence"])
        for e in found
    ]  # fmt: skip
    columns = ("at (UTC)", "model", "", "by", "why", ">entry")
    output().print(table(columns, rows, whole=("at (UTC)", "model", "")) if found else "nothing was selected yet")


# ── inside ───────────────────────────────────────────────────────────────────────────────────


def _row(facts: Facts, columns: Sequence[str]) -> Sequence[object]:
    metric = str(facts.get("metric") or "")
    saved = when(facts.get("saved_at"))
    cells = {
        "": "●" if facts.get("selected") else "",
        "name": facts["name"],
        "type": facts.get("model_type"),
        "metric": metric,
        ">folds": _score(facts, "metrics", metric),
        ">hold-out": _score(facts, "holdout", metric),
        "served by": facts.get("served_by"),
        "saved": saved if columns is COLUMNS else saved[:10],
        "tags": ", ".join(map(str, _listed(facts.get("tags")))),
    }
    return [cells[column] for column in columns]


def _newest_run(place: Place) -> list[Facts]:
    """The models of the newest run, by rank, and the selected one; a run's id begins with when it was."""
    from registry.listing import Query

    run = next((facts.get("run") for facts in place.models(Query("-run"), 1)), None)
    if run is None:
        raise NotFound("no model is of a training run; name the models to compare")
    chosen = place.models(Query("rank", (("run", run),)))
    selected = place.selected()
    if selected is not None and all(facts["name"] != selected for facts in chosen):
        chosen.append(place.model(selected))
    return chosen


def _metrics(models: Sequence[Facts]) -> list[str]:
    """Every metric that any of them has, the known ones first."""
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
    """A part of the facts that is a mapping: another version's API, or an old entry, may have something else there."""
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
