"""Resolves `--home`: the settings of a command that works on a home of `zelador up`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from zelador.errors import Unavailable
from zelador.settings import RedisSettings, Settings, load_settings
from zelador.settings.paths import absolute

Needs = Literal["home", "running", "keys"]


def settings_of(home: Path | None, needs: Needs = "home") -> Settings:
    """The settings with absolute paths, and with the servers and files of `home` if it is given.

    Raises InvalidInput if the command needs a home and the folder is not one, Unavailable if it needs a running one.
    """
    settings = absolute(load_settings())
    if home is None:
        return settings
    if needs == "keys":  # keys can be created before the first start of `zelador up`
        api = settings.api.model_copy(update={"keys_file": home / "keys.json", "audit_file": None})
        return settings.model_copy(update={"api": api})
    if needs == "running":
        from command.up.home import read_memory

        url = read_memory(home, "up.json").get("redis")
        if url is None:
            raise Unavailable(f"no `zelador up` is running in {home}; start it, or omit --home")
        return settings.model_copy(update={"redis": RedisSettings(**{**settings.redis.model_dump(), "url": url})})
    from command.doctor.home import read_home

    return read_home(home, settings).settings
