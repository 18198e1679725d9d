"""Resolves `--home`: the settings of a command that works on a home of `zelador up`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from zelador.errors import Unavailable
from zelador.settings import Settings, load_settings
from zelador.settings.paths import absolute

Needs = Literal["home", "running", "keys"]
OfHome = Annotated[
    Path | None, typer.Option("--home", help="Use this home of `zelador up` instead of the servers in the settings.")
]


def settings_of(home: Path | None, needs: Needs = "home", settings: Settings | None = None) -> Settings:
    """Returns the settings with absolute paths, and with the servers and files of `home` if it is given.

    `settings` are those of the environment by default. Raises InvalidInput if `home` is not a home, Unavailable if the
    command needs a running one.
    """
    settings = absolute(settings or load_settings())
    if home is None:
        return settings
    if needs == "keys":  # keys can be created before the first start of `zelador up`
        api = settings.api.model_copy(update={"keys_file": home / "keys.json", "audit_file": None})
        return settings.model_copy(update={"api": api})
    from command.doctor.home import read_home

    found = read_home(home, settings)
    if needs == "running" and not found.running:
        raise Unavailable(f"no `zelador up` is running in {home}; start it (zelador up --home {home}), or omit --home")
    return found.settings
