"""`zelador evaluate`: evaluates models on the same labeled rows, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from command.home import settings_of
from command.library_output import quiet
from command.models.target import Home, Json, Key, Url, model_names, open_target
from command.output import heads_that_fit, output, table
from command.table_columns import DeviceColumn, TimeColumn
from command.terminal import print_json, say, say_text
from zelador.errors import InvalidInput
from zelador.libgomp import restart_with_libgomp

CHUNK = 1 << 20


def evaluate(
    csv: Annotated[
        Path, typer.Option(help="A table of labeled rows: CSV in any dialect, JSON lines, Parquet or Arrow.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model to evaluate; the first is the reference. May be repeated. Default: the selected model.",
            autocompletion=model_names,
        ),
    ] = None,
    label: Annotated[str, typer.Option(help="The column with the label.")] = "label",
    positive: Annotated[
        str | None,
        typer.Option(help="Of two classes, the one that Recall, Precision, F1 and PR-AUC measure. Default: the rarer."),
    ] = None,
    device: DeviceColumn = None,
    time: TimeColumn = None,
    keep: Annotated[bool, typer.Option(help="Keep the result with each model, for show, compare and the card.")] = True,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Evaluate models on the same labeled rows: metrics side by side, with intervals and differences to the first."""
    if url is None:
        restart_with_libgomp()  # a model may need LightGBM
    from operations.acts.evaluations import Labeled
    from zelador.table import Wanted, read_table

    target = open_target(home, url, key, "change" if keep else "look")
    names = list(dict.fromkeys(model or [])) or [name for name in [target.selected()] if name is not None]
    if not names:
        raise InvalidInput("no model is selected; name one with --model, or run zelador models select NAME")
    features = tuple(dict.fromkeys(name for each in names for name in target.model(each)["features"]))
    wanted = Wanted(features, label, device=device, time=time, context=True, strict=False)
    rows = read_table(csv, settings_of(home), wanted)
    readings = [
        {name: value for name, value in zip(features, rows.row(place), strict=True) if value == value}
        for place in range(len(rows))
    ]
    labeled = Labeled(
        readings, rows.labels, csv.name, _digest(csv), rows.devices,
        None if rows.times is None else rows.times.tolist(), rows.notes,
    )  # fmt: skip
    with quiet():
        found = target.evaluate(names, labeled, positive, keep)
    if as_json:
        print_json(found)
    else:
        show(found)


def show(found: Mapping[str, Any]) -> None:
    """Prints the metrics, the differences, the confusion matrix of each model, and the notes."""
    console = output()
    data, models = found["data"], found["models"]
    names = [each["name"] for each in models]
    of = f", positive class {found['positive']!r}" if found["positive"] is not None else ""
    say(f"{data['rows']} rows of {data['source']} (SHA-256 {data['digest'][:12]}){of}")
    say(", ".join(f"{label}: {count}" for label, count in data["classes"].items()))
    for group in heads_that_fit(names, console.width, CELL):
        shown = [models[names.index(name)] for name in group]
        console.print()
        rows = [(metric, *(_cell(each, metric) for each in shown)) for metric in models[0]["metrics"]]
        console.print(table(("", *(f">{name}" for name in group)), rows, whole=("",), heads=True))
    for each in models[1:]:
        console.print()
        console.print(
            table((f"{each['name']} minus {names[0]}", ">difference", "95 % interval", ""), _differences(each))
        )
    for each in models:
        console.print()
        confusion = each["confusion"]
        head = (each["name"], *(f">predicted {label}" for label in confusion["labels"]))
        counted = zip(confusion["labels"], confusion["counts"], strict=True)
        console.print(table(head, [(f"actual {label}", *counts) for label, counts in counted]))
    unit = "rows" if found["by"] == "row" else f"blocks by {found['by']}"
    notes = [found["no_intervals"] or f"95 % intervals by a bootstrap over {found['blocks']} {unit}", *data["notes"]]
    say_text("\n" + "\n".join(f"note: {note}" for note in notes))


CELL = 24  # characters of a score with its interval


def _cell(model: Mapping[str, Any], metric: str) -> Text:
    value, span = model["metrics"][metric], model["intervals"][metric]
    if value is None:
        return Text("–")
    return Text(f"{value:.4f}" if span is None else f"{value:.4f}  {span[0]:.3f} – {span[1]:.3f}")


def _differences(model: Mapping[str, Any]) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for metric, each in model["differences"].items():
        if each["value"] is None:
            continue
        span = each["interval"]
        verdict = "cannot be told apart" if not each["clear"] else "better" if each["value"] > 0 else "worse"
        spanned = "–" if span is None else f"{span[0]:+.3f} to {span[1]:+.3f}"
        rows.append((metric, f"{each['value']:+.4f}", spanned, verdict))
    return rows


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()
