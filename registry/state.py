"""The state of the registry at an entry of its log. Frozen; new entries make a new state (fold.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from registry.errors import ModelNotFound
from zelador.errors import Conflict


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model. `digest` is the SHA-256 of its manifest, and so of all its files."""

    name: str
    upload: str
    digest: str
    metadata: Mapping[str, Any]
    saved_at: str
    saved_by: str
    tags: tuple[str, ...] = ()
    seq: int = 0  # the entry that registered it
    stored_as: str = ""  # the name that it was registered under, where it has another now

    @property
    def payload(self) -> str:
        """ "name/upload": where its files are. They were written once, and a rename moves none."""
        return f"{self.stored_as or self.name}/{self.upload}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which model is live since when. `sequence` is the number of the log's entry: no two selections share it."""

    model: str
    sequence: int
    by: str
    at: str
    why: str
    rolled_back: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """A name that only the holder of `token` may register, up to `until` (ISO 8601, UTC)."""

    token: str
    until: str
    by: str


@dataclass(frozen=True, slots=True)
class State:
    registry: str = ""  # the registry's own id
    seq: int = 0  # of the log's newest entry
    head: str | None = None  # its digest
    models: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}))
    selection: Selection | None = None
    history: tuple[Selection, ...] = ()  # every selection, oldest first
    earlier: tuple[str, ...] = ()  # what rolling back goes to, the next one last
    reserved: Mapping[str, Reservation] = field(default_factory=lambda: MappingProxyType({}))
    condemned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # "name/upload": since when
    commits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # the newest, with their entries
    trusted: int = 0  # entries up to this one need no signature: an operator said so, signed

    @property
    def etag(self) -> str:
        """Changes with every change; the number alone would come again after a restore."""
        return etag(self.head)

    def model(self, name: str) -> Model:
        """Raises ModelNotFound."""
        try:
            return self.models[name]
        except KeyError:
            raise ModelNotFound(f"there is no model {name!r}; `zelador models list` shows what there is") from None

    def previous(self) -> str:
        """The model that rolling back would select. Raises Conflict when there is none."""
        now = self.selection.model if self.selection else None
        for name in reversed(self.earlier):
            if name != now and name in self.models:
                return name
        raise Conflict("there is no earlier selection to roll back to; select a model by its name")


def etag(head: str | None) -> str:
    return f"seq-{(head or '')[:16]}"
