"""The options that choose the readings of a data set, for train, describe and export alike."""

from __future__ import annotations

from typing import Annotated

import typer

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Start of the period in measured time: ISO 8601 (without a zone: in ZELADOR_TIME_ZONE), or an epoch.",
    ),
]
To = Annotated[str | None, typer.Option("--to", help="Its end, which is not part of it.")]
Devices = Annotated[
    str | None,
    typer.Option(help="Only these devices, separated by commas; also patterns (press-*). Default: all."),
]
Features = Annotated[str | None, typer.Option(help="The features, separated by commas. Default: ZELADOR_FEATURES.")]
Classes = Annotated[str | None, typer.Option(help="Only readings with these labels, separated by commas.")]
LabelsAt = Annotated[
    str | None, typer.Option(help="Take the labels of periods as they were at this moment. Default: now.")
]
Source = Annotated[str | None, typer.Option(help="Where the readings are: all, archive or buffer. Default: all.")]


def asked_for(
    begin: str | None = None,
    end: str | None = None,
    devices: str | None = None,
    features: str | None = None,
    classes: str | None = None,
    labels_at: str | None = None,
    source: str | None = None,
) -> dict[str, object]:
    """The query as JSON, of what was asked for."""
    found: dict[str, object] = {
        "from": begin,
        "to": end,
        "devices": names(devices),
        "features": names(features),
        "labels": names(classes),
        "labels_at": labels_at,
        "source": source,
    }
    return {name: value for name, value in found.items() if value}


def names(given: str | None) -> list[str]:
    """The names in an option. A column may have any name, such as `Lux (x10³)`."""
    return [name.strip() for name in (given or "").split(",") if name.strip()]
