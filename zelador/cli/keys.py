"""`zelador keys`: keys of the admin API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from zelador.settings import load_settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys of the admin API."""


@app.command("new")
def new(
    home: Annotated[Path | None, typer.Option(help="The home whose key it is; without it, the settings' file.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Make another admin key; it is shown once, only its digest is kept. A running API takes it at once."""
    from registry.api.keys import new_key

    path = home / "keys.json" if home else load_settings().api.keys_file
    key = new_key(path)
    print(json.dumps({"key": key}) if as_json else key)
