"""The options that choose the readings of a data set, shared by train, describe and export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from zelador.errors import InvalidInput
from zelador.settings import Settings

if TYPE_CHECKING:
    from archive.dataset.query import Query

KEYS = ("from", "to", "labels_at", "source")  # keys of the query that have an option of the same name

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Start of the period in measured time: ISO 8601 (without a zone: in ZELADOR_TIME_ZONE), or an epoch.",
    ),
]
To = Annotated[str | None, typer.Option("--to", help="End of the period, which is not part of it.")]
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
    """Returns the query as JSON, with only the options that were given."""
    found: dict[str, object] = {
        "from": begin,
        "to": end,
        "devices": names(devices, "--devices"),
        "features": names(features, "--features"),
        "labels": names(classes, "--classes"),
        "labels_at": labels_at,
        "source": source,
    }
    return {name: value for name, value in found.items() if value}


def query_from(asked: dict[str, object], settings: Settings) -> Query:
    """Returns the query. Raises InvalidInput, which names the option."""
    from archive.dataset.query import query_of

    with naming_options():
        return query_of(asked, settings)


@contextmanager
def naming_options() -> Iterator[None]:
    """Makes an InvalidInput about a key of the query name its option."""
    try:
        yield
    except InvalidInput as error:
        said = str(error)
        key = next((name for name in KEYS if said.startswith((f"{name}:", f"{name} "))), None)
        if key is None:
            raise
        raise InvalidInput(f"--{key.replace('_', '-')}{said.removeprefix(key)}") from None


def names(given: str | None, option: str) -> list[str]:
    """Returns the names in an option. A column may have any name, such as `Lux (x10³)`.

    Raises InvalidInput if the option was given without a name, as by a script whose variable is empty.
    """
    found = [name.strip() for name in (given or "").split(",") if name.strip()]
    if given is not None and not found:
        raise InvalidInput(f"{option}: it names nothing; name one or more, separated by commas, or leave it out")
    return found
