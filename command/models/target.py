"""Which registry a command is about: the settings', a home's, or one behind an admin API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import typer

from zelador.errors import InvalidInput
from zelador.settings import RegistrySettings, Settings, load_settings

if TYPE_CHECKING:
    from command.models.local import Local
    from registry.listing import Query

Home = Annotated[
    Path | None, typer.Option(help="A home of `zelador up`, running or not, instead of the settings' registry.")
]
Url = Annotated[
    str | None, typer.Option(help="The admin API of another machine, such as https://zelador.example:8000.")
]
Key = Annotated[
    str | None,
    typer.Option(help="A key of that API; better in ZELADOR_REMOTE__KEY, which no list of processes shows."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]
Why = Annotated[str, typer.Option(help="Kept in the history.")]

Facts = Mapping[str, Any]


class Place(Protocol):
    """What can be done here and over the API alike; a model is its facts (registry/facts.py), flat."""

    def models(self, query: Query, limit: int | None = None) -> list[Facts]:
        """Those that `query` asks for, in its order; at most `limit` of them."""

    def selected(self) -> str | None: ...

    def model(self, name: str) -> Facts: ...

    def history(self) -> list[Facts]:
        """Every selection, the newest first."""

    def select(self, name: str, why: str) -> Facts: ...

    def roll_back(self, why: str) -> Facts: ...

    def annotate(
        self, name: str, metadata: Mapping[str, Any], add: Sequence[str], remove: Sequence[str], why: str
    ) -> Facts: ...

    def rename(self, name: str, to: str, why: str) -> Facts: ...

    def delete(self, name: str, why: str) -> None: ...

    def classify(self, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
        """`model` (None: the selected one) and `predictions`."""

    def card(self, name: str, html: bool) -> str:
        """The model on one page, as HTML or Markdown."""

    def archive(self, name: str) -> bytes:
        """The whole model as one file."""

    def add(self, data: bytes, name: str | None, why: str, trust: bool = False) -> Facts:
        """Registers what `archive` gave, here or elsewhere.

        `trust`: bytes for a library's own parser (LightGBM's) are taken, whoever made them.
        """


Use = Literal["look", "change", "make"]  # looking writes nothing; only importing makes a registry where there is none


def open_place(home: Path | None, url: str | None, key: str | None, use: Use = "look") -> Place:
    """Raises NotFound, InvalidInput, Corrupt, Unavailable."""
    settings = load_settings()
    if home is not None and url is not None:
        raise InvalidInput("--home is a folder of this machine, --url another machine's API: take one of them")
    address = url or (settings.remote.url if home is None else None)
    if address is None:
        if key is not None:
            raise InvalidInput("--key is for an API: name it with --url")
        return open_local(home, use)
    from command.models.remote import Remote

    return Remote(address, key or settings.remote.key)


def open_local(home: Path | None, use: Use = "look") -> Local:
    """For what only the registry's own files can answer."""
    from command.models.local import Local

    return Local(settings_of(home), use)


def registry_settings(home: Path | None) -> RegistrySettings:
    """Of the settings, or of a home. Raises InvalidInput when the folder is no home."""
    return settings_of(home).registry


def settings_of(home: Path | None) -> Settings:
    """All of them, with a home's own servers. Raises InvalidInput when the folder is no home."""
    settings: Settings = load_settings()
    if home is not None:
        from command.doctor.home import see

        settings = see(home, settings).settings
    return settings


def model_names(incomplete: str) -> list[str]:
    """For completion in a shell: quick, silent, and never making a registry."""
    try:
        from registry.registry import Registry

        settings = load_settings().registry
        if "://" in settings.url:  # a bucket is not quick
            return []
        names = Registry.existing(settings).state.models
    except Exception:  # noqa: BLE001 - a shell that completes shows no error
        return []
    return sorted(name for name in names if name.startswith(incomplete))


Name = Annotated[str, typer.Argument(help="The model's name.", autocompletion=model_names)]
Names = Annotated[list[str] | None, typer.Argument(help="Names of models.", autocompletion=model_names)]
