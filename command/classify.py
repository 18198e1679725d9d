"""`zelador classify`: readings by hand, by the selected model or a named one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from command.models.target import Facts, Home, Json, Key, Place, Url, model_names, open_place
from command.output import output, table
from command.terminal import print_json, say
from zelador.errors import Conflict, InvalidInput
from zelador.libgomp import restart_with_libgomp

AT_ONCE = 1_000  # readings in one question: as many as the API takes


def classify(
    values: Annotated[
        list[str] | None, typer.Argument(help="One reading: lux=412 temperature=61.4 vibration=3.82", metavar="F=V...")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Readings, a column for each feature of the model.")] = None,
    model: Annotated[str | None, typer.Option(help="Without it, the selected one.", autocompletion=model_names)] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Ask a model about one reading, or about the rows of a CSV file."""
    if bool(values) == (csv is not None):
        raise InvalidInput("give one reading (lux=412 temperature=61.4 vibration=3.82), or --csv FILE")
    if url is None:
        restart_with_libgomp()  # the model may be LightGBM's
    place = open_place(home, url, key)
    if csv is not None:
        model, features = _named(place, model)
        readings: Sequence[Mapping[str, Any]] = _rows(csv, features)
    else:
        readings = [dict(map(_pair, values or ()))]
    found = _ask(place, model, readings)
    if as_json:
        print_json(found)
    else:
        _show(found, readings)


def _ask(place: Place, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
    """In portions, all of them by the same model."""
    predictions: list[Facts] = []
    for start in range(0, len(readings), AT_ONCE):
        found = place.classify(model, readings[start : start + AT_ONCE])
        model = found["model"]
        predictions += found["predictions"]
    return {"model": model, "predictions": predictions}


def _show(found: Facts, readings: Sequence[Mapping[str, Any]]) -> None:
    features = list(readings[0])
    labels = sorted({label for each in found["predictions"] for label in each["probabilities"] or ()})
    rows = [
        (*(f"{reading[feature]:g}" for feature in features), each["label"], *_shares(each, labels))
        for reading, each in zip(readings, found["predictions"], strict=True)
    ]
    columns = (*(f">{feature}" for feature in features), "label", *(f">p({label})" for label in labels))
    output().print(table(columns, rows))
    say(f"by {found['model']}", error=True)


def _shares(prediction: Facts, labels: Sequence[str]) -> Iterator[str]:
    for label in labels:
        share = (prediction["probabilities"] or {}).get(label)
        yield "–" if share is None else f"{share:.4f}"


def _named(place: Place, model: str | None) -> tuple[str, list[str]]:
    """The model that will be asked, and the columns that it needs."""
    if model is None:
        model = place.selected()
    if model is None:
        raise Conflict("no model is selected; name one with --model, or zelador models select NAME")
    return model, list(place.model(model)["features"])


def _rows(path: Path, features: Sequence[str]) -> list[dict[str, float]]:
    from command.demo.scenarios.table import read_table

    return [dict(sample.values) for sample in read_table(path, features, None, ["row"])]


def _pair(text: str) -> tuple[str, float]:
    feature, equals, value = text.partition("=")
    try:
        if equals and feature:
            return feature.strip(), float(value)
    except ValueError:
        pass
    raise InvalidInput(f"{text!r}: write FEATURE=NUMBER, such as lux=412")
