"""The registry that a command works on: from the settings, in a home, or through an admin API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import typer

from command.home import settings_of
from zelador.errors import InvalidInput
from zelador.settings import load_settings

if TYPE_CHECKING:
    from command.models.local import Local
    from operations.acts.evaluations import Labeled
    from registry.listing import Query

Home = Annotated[
    Path | None,
    typer.Option(
        help="Use the registry of this home of `zelador up`, running or not, instead of the one in the settings."
    ),
]
Url = Annotated[
    str | None, typer.Option(help="Use the admin API of another machine, such as https://zelador.example:8000.")
]
Key = Annotated[
    str | None,
    typer.Option(help="A key of that API. ZELADOR_REMOTE__KEY is safer: it does not appear in process lists."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option(help="The reason, kept in the history.")]

Facts = Mapping[str, Any]


class Target(Protocol):
    """The operations available both locally and over the API. A model is one flat object (registry/facts.py)."""

    def models(self, query: Query, limit: int | None = None) -> list[Facts]:
        """Returns the models that match `query`, in its order; at most `limit` of them."""

    def selected(self) -> str | None: ...

    def model(self, name: str) -> Facts: ...

    def history(self) -> list[Facts]:
        """Returns all selections, newest first."""

    def select(self, name: str, why: str, force: bool = False) -> Facts:
        """Selects a model. Raises Conflict if the plant does not send all its features, unless `force` is set."""

    def roll_back(self, why: str, force: bool = False) -> Facts:
        """Selects the previous model. Raises Conflict like `select`, and if there is no earlier selection."""

    def annotate(
        self, name: str, metadata: Mapping[str, Any], add: Sequence[str], remove: Sequence[str], why: str
    ) -> Facts: ...

    def rename(self, name: str, to: str, why: str) -> Facts: ...

    def delete(self, name: str, why: str) -> None: ...

    def classify(self, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
        """Returns the `model` used (by default the selected one) and the `predictions`."""

    def evaluate(self, names: Sequence[str], rows: Labeled, positive: str | None, keep: bool) -> Facts:
        """Evaluates the models on the same labeled rows. With `keep`, the result is stored with each model."""

    def save(self, run: str, ranks: Sequence[int] | None, names: Sequence[str], notes: Sequence[str]) -> list[Facts]:
        """Registers candidates of a training run; all of them if `ranks` is None. Returns the new models."""

    def card(self, name: str, html: bool) -> str:
        """Returns the model card, as HTML or Markdown."""

    def archive(self, name: str) -> bytes:
        """Returns the whole model as one zip file."""

    def add(self, data: bytes, name: str | None, why: str, trust: bool = False) -> Facts:
        """Registers a file made by `archive`.

        With `trust`, a pipeline in a library's own format (LightGBM's) is accepted from anyone.
        """


Use = Literal["look", "change", "make"]  # "look" writes nothing; only "make" creates a registry


def open_target(home: Path | None, url: str | None, key: str | None, use: Use = "look") -> Target:
    """Opens the registry that the options name. Raises NotFound, InvalidInput, Corrupt, Unavailable."""
    settings = load_settings()
    if home is not None and url is not None:
        raise InvalidInput("use either --home (a folder on this machine) or --url (the API of another machine)")
    address = url or (settings.remote.url if home is None else None)
    if address is None:
        if key is not None:
            raise InvalidInput("--key requires --url, the address of the API")
        return open_local(home, use)
    from command.models.remote import Remote

    return Remote(address, key or settings.remote.key, settings.remote.ca_file)


def open_local(home: Path | None, use: Use = "look") -> Local:
    """Opens the registry on this machine, for operations that need its files."""
    from command.models.local import Local

    return Local(settings_of(home), use)


def model_names(incomplete: str) -> list[str]:
    """Returns names for shell completion. Fast and silent, and creates no registry."""
    try:
        from registry.registry import Registry

        settings = load_settings().registry
        if "://" in settings.url:  # reading a bucket is too slow
            return []
        names = Registry.existing(settings).state.models
    except Exception:  # noqa: BLE001 - shell completion shows no errors
        return []
    return sorted(name for name in names if name.startswith(incomplete))


Name = Annotated[str, typer.Argument(help="The name of a model.", autocompletion=model_names)]
Names = Annotated[list[str] | None, typer.Argument(help="Names of models.", autocompletion=model_names)]
