"""`zelador models save`: registers candidates of a training run as models, even weeks after the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from command.models.target import Home, Json, Key, Url, open_target
from command.terminal import print_json, say
from zelador.errors import InvalidInput

MAX_RANK = 20


def save(
    run: Annotated[str, typer.Argument(help="The id of the run, as `zelador train` and the API show it.")],
    ranks: Annotated[
        str, typer.Option(help="The ranks of the candidates, separated by commas, such as 1,3; or all.")
    ] = "all",
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            "--names",
            help="A name for each, in the order of the ranks; repeat it, or separate names by commas.",
        ),
    ] = None,
    notes: Annotated[
        list[str] | None, typer.Option(help="Notes for all models; repeat the option to give each its own, by rank.")
    ] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Register candidates of a training run as models. Selects none. Without --name they get default names.

    A run and its candidates are kept for ZELADOR_REGISTRY__KEEP_RUNS_S, 90 days by default.
    """
    chosen = None if ranks.strip().casefold() == "all" else ranks_of(ranks, "--ranks")
    names = [each.strip() for given in name or () for each in given.split(",") if each.strip()]
    saved = open_target(home, url, key, "change").save(run, chosen, names, notes or ())
    if as_json:
        print_json({"models": saved})
        return
    for model in saved:
        say(f"saved {model['name']} (rank {model.get('rank')}); to use it: zelador models select {model['name']}")


def ranks_of(text: str, option: str) -> Sequence[int]:
    """Parses ranks such as `1,3` or `all`. Raises InvalidInput, which names the option."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdigit() and 0 < int(part[:3]) <= MAX_RANK for part in parts):
        raise InvalidInput(f"{option} {text[:80]}: write ranks from 1 to {MAX_RANK}, separated by commas, such as 1,3")
    return [int(part) for part in parts]
