"""`zelador classify`: classifies readings with the selected model or another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from command.classified import Classified, check_out, classified, write
from command.home import settings_of
from command.library_output import quiet
from command.models.target import Facts, Home, Json, Key, Target, Url, model_names, open_target
from command.output import output, table
from command.terminal import print_json, say
from zelador.errors import Conflict, InvalidInput
from zelador.libgomp import restart_with_libgomp

MAX_READINGS = 1_000  # readings in one request: the limit of the API


def classify(
    values: Annotated[
        list[str] | None,
        typer.Argument(help="One reading, such as lux=412 temperature=61.4 vibration=3.82.", metavar="F=V..."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="A table of readings: CSV in any dialect, JSON lines, Parquet or Arrow, with one column for each "
            "feature of the model."
        ),
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="With --csv: columns to keep beside the predictions, separated by commas.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --csv: write the predictions to this file: .csv, .jsonl or .parquet.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model to use. Default: the selected one.", autocompletion=model_names)
    ] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Classify one reading, or the rows of a table: one answer for each row, even if it cannot have a label."""
    if bool(values) == (csv is not None):
        raise InvalidInput("give one reading (lux=412 temperature=61.4 vibration=3.82), or --csv FILE")
    if csv is None and (keep or out):
        raise InvalidInput(f"{'--keep' if keep else '--out'} requires --csv FILE")
    if out is not None:
        check_out(out)
    if url is None:
        restart_with_libgomp()  # the model may need LightGBM
    target = open_target(home, url, key)
    if csv is None:
        reading = dict(map(_pair, values or ()))
        with quiet():
            found = ask(target, model, [reading])
        if as_json:
            print_json(found)
        else:
            _show(found, [reading])
        return
    model, features = _model_and_columns(target, model)
    kept = tuple(name.strip() for name in (keep or "").split(",") if name.strip())
    rows = classified(csv, settings_of(home), features, kept)
    for note in rows.notes:
        say(f"note: {note}", error=True)
    with quiet():
        rows.answer(ask(target, model, rows.readings)["predictions"] if rows.readings else [])
    if out is not None:
        write(out, rows)
    if as_json:
        print_json({"model": model, "predictions": rows.predictions})
    elif out is None:
        _show_rows(rows, model)
    else:
        say(f"{len(rows.predictions)} predictions of {model} written to {out}", error=True)
    if rows.refused:
        say(f"{rows.refused} of {len(rows.predictions)} rows have no label; each says why", error=True)


def ask(target: Target, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
    """Classifies the readings in portions, all with the same model."""
    predictions: list[Facts] = []
    for start in range(0, len(readings), MAX_READINGS):
        found = target.classify(model, readings[start : start + MAX_READINGS])
        model = found["model"]
        predictions += found["predictions"]
    return {"model": model, "predictions": predictions}


def _show(found: Facts, readings: Sequence[Mapping[str, Any]]) -> None:
    features = list(readings[0])
    labels = sorted({label for each in found["predictions"] for label in each["probabilities"] or ()})
    rows = [
        (*(f"{reading[feature]:g}" for feature in features), each["label"], *_probabilities(each, labels))
        for reading, each in zip(readings, found["predictions"], strict=True)
    ]
    columns = (*(f">{feature}" for feature in features), "label", *(f">p({label})" for label in labels))
    output().print(table(columns, rows))
    say(f"by {found['model']}", error=True)


def _probabilities(prediction: Facts, labels: Sequence[str]) -> Iterator[str]:
    for label in labels:
        probability = (prediction["probabilities"] or {}).get(label)
        yield "–" if probability is None else f"{probability:.4f}"


def _show_rows(rows: Classified, model: str) -> None:
    """Prints a table of all rows, with the kept columns, or else with the features."""
    labels = sorted({label for each in rows.predictions for label in each["probabilities"] or ()})
    cells = [
        (each["row"], *rows.beside(place), "–" if each["label"] is None else each["label"],
         *_probabilities(each, labels), each.get("reason") or "")
        for place, each in enumerate(rows.predictions)
    ]  # fmt: skip
    beside = (f">{name}" for name in rows.kept or rows.features)
    output().print(table((">row", *beside, "label", *(f">p({label})" for label in labels), ""), cells))
    say(f"by {model}", error=True)


def _model_and_columns(target: Target, model: str | None) -> tuple[str, list[str]]:
    """Returns the name of the model, and the columns that it needs."""
    if model is None:
        model = target.selected()
    if model is None:
        raise Conflict("no model is selected; name one with --model, or run zelador models select NAME")
    return model, list(target.model(model)["features"])


def _pair(text: str) -> tuple[str, float]:
    feature, equals, value = text.partition("=")
    try:
        if equals and feature:
            return feature.strip(), float(value)
    except ValueError:
        pass
    raise InvalidInput(f"{text!r}: write FEATURE=NUMBER, such as lux=412")
