"""`zelador models compare`: compares models side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from command.models.evaluations import evaluations_of
from command.models.show import interval_in, metrics_of, part_of, score_of, value_of
from command.models.target import Facts, Home, Json, Key, Names, Target, Url, open_target
from command.output import heads_that_fit, output, table, when
from command.terminal import print_json, say, say_text
from zelador.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from operations.views.differences import SideBySide

CELL = 10  # characters of a score
WIDE_CELL = 28  # characters of a difference with its interval
MAX_CELL = 40  # characters of a field in which models differ
TITLES = {"rank": "rank in its run", "served_by": "served by", "data.rows": "rows", "positive": "positive class"}


def compare(
    names: Names = None,
    reference: Annotated[
        str | None,
        typer.Option(help="The model to compare the others with. Default: the selected one, else the first."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a row for each model.")] = False,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Compare models side by side: what differs, their scores, and the differences from one of them.

    Default: the models of the newest training run and the selected model. * marks the best model of a metric, if its
    interval lies above those of all others.
    """
    from operations.views import differences

    target = open_target(home, url, key)
    models = [target.model(name) for name in dict.fromkeys(names)] if names else _newest_run(target)
    if len(models) < 2:
        raise InvalidInput("name at least two models to compare (see zelador models list)")
    found = differences.side_by_side(models, reference)
    if as_csv:
        say_text(differences.as_csv(found).rstrip("\n"))
        return
    if as_json:
        winners = {part: {m: _best(models, part, m) for m in metrics_of(models)} for part in ("metrics", "holdout")}
        print_json({**found, "models": models, "best": winners})
        return
    rows: list[Sequence[object]] = [
        ("selected", *("●" if facts.get("selected") else "" for facts in models)),
        ("saved", *(when(facts.get("saved_at"))[:10] for facts in models)),
    ]
    rows += [(TITLES.get(row["field"], row["field"]), *map(_cell, row["values"])) for row in found["differs"]]
    marked = False
    for part, title in parts_of_all(models):
        for metric in metrics_of(models, part):
            best = _best(models, part, metric)
            marked = marked or bool(best)
            cells = [_marked(score_of(facts, part, metric), facts["name"] in best) for facts in models]
            rows.append((f"{metric}, {title}", *cells))
    show_side_by_side(models, rows, found)
    if not marked:
        say("No winner is marked: no difference is certain. zelador evaluate compares models on the same rows.")
    if len({json.dumps(part_of(facts, "data").get("sha256")) for facts in models}) > 1:
        say_text("The models were trained on different data, so their metrics are not directly comparable.")


def show_side_by_side(models: Sequence[Facts], rows: Sequence[Sequence[object]], found: SideBySide) -> None:
    """Prints the rows, then the differences from the reference, in as many columns as fit."""
    console = output()
    titles = {"holdout": "hold-out", "metrics": "folds"}
    changes: list[Sequence[object]] = [
        (f"difference in {row['metric']}, {titles[row['part']]}", *map(_change, row["deltas"], row["delta_intervals"]))
        for row in found["scores"]
        if any(delta is not None for delta in row["deltas"])
    ]
    names_of = [facts["name"] for facts in models]
    for place, part in enumerate((rows, changes)):
        if place and part:
            say(f"Differences from {found['reference']}, with the 95 % interval where it is known:")
        width = CELL if not place else WIDE_CELL
        for group in heads_that_fit(names_of, console.width, width) if part else ():
            places = [names_of.index(name) for name in group]
            shown = [(row[0], *(row[place + 1] for place in places)) for row in part]
            console.print(table(("", *(f">{name}" for name in group)), shown, whole=("", *group), heads=True))
            console.print()


def _change(delta: float | None, interval: tuple[float, float] | None) -> str:
    if delta is None:
        return "–"
    sure = "" if interval is None else f" ({interval[0]:+.3f} to {interval[1]:+.3f})"
    return f"{delta:+.4f}{sure}"


def _cell(value: object) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)[:MAX_CELL]


def _newest_run(target: Target) -> list[Facts]:
    """Returns the models of the newest run, by rank, and the selected one. The id of a run begins with its time."""
    from registry.listing import Query

    run = next((facts.get("run") for facts in target.models(Query("-run"), 1)), None)
    if run is None:
        raise NotFound("no model comes from a training run; name the models to compare")
    chosen = target.models(Query("rank", (("run", run),)))
    selected = target.selected()
    if selected is not None and all(facts["name"] != selected for facts in chosen):
        chosen.append(target.model(selected))
    return chosen


def parts_of_all(models: Sequence[Facts]) -> list[tuple[str, str]]:
    """Returns the kinds of metrics with their titles: hold-out, folds, and files on which several were evaluated."""
    found = [("holdout", "hold-out"), ("metrics", "folds")]
    shared: dict[str, tuple[str, int]] = {}
    for facts in models:
        for each in evaluations_of(facts):
            shared[each.digest] = each.source, shared.get(each.digest, ("", 0))[1] + 1
    return found + [(digest, source) for digest, (source, count) in shared.items() if count > 1]


def _best(models: Sequence[Facts], part: str, metric: str) -> list[str]:
    """Returns the model whose interval is above those of all others; no model if that is not certain."""
    scored = [(facts["name"], value_of(facts, part, metric), interval_in(facts, part, metric)) for facts in models]
    known = [(name, span) for name, value, span in scored if value is not None and span is not None]
    if len(known) < 2 or len(known) < sum(value is not None for _, value, _ in scored):
        return []
    name, best = max(known, key=lambda each: each[1][0])
    return [name] if all(best[0] > span[1] for other, span in known if other != name) else []


def _marked(text: str, best: bool) -> Text:
    return Text(f"* {text}", "bold") if best else Text(text)
