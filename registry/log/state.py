"""The state of the registry after an entry of its log. Frozen: fold.py makes a new state from new entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from registry.errors import ModelNotFound
from zelador.errors import Conflict


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model. `digest` is the SHA-256 of its manifest, which in turn lists the digest of each file."""

    name: str
    upload: str
    digest: str
    metadata: Mapping[str, Any]
    saved_at: str
    saved_by: str
    tags: tuple[str, ...] = ()
    seq: int = 0  # number of the entry that registered it
    stored_as: str = ""  # the name it was registered under; empty unless it was renamed

    @property
    def payload(self) -> str:
        """The folder of its files, "name/upload". Files are written once; a rename does not move them."""
        return f"{self.stored_as or self.name}/{self.upload}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice of the live model. `sequence` is the number of its log entry, so it is unique."""

    model: str
    sequence: int
    by: str
    at: str
    why: str
    rolled_back: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """A name that only the holder of `token` may register until `until` (ISO 8601, UTC)."""

    token: str
    until: str
    by: str


@dataclass(frozen=True, slots=True)
class State:
    registry: str = ""  # the registry's own id
    seq: int = 0  # number of the newest log entry
    head: str | None = None  # digest of the newest log entry
    models: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}))
    selection: Selection | None = None
    history: tuple[Selection, ...] = ()  # every selection, oldest first
    earlier: tuple[str, ...] = ()  # models that rolling back returns to; the next one is last
    reserved: Mapping[str, Reservation] = field(default_factory=lambda: MappingProxyType({}))
    condemned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # "name/upload": time
    commits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # the newest ids: entry number
    trusted: int = 0  # entries up to this one need no signature, because a signed `trust` entry vouches for them

    @property
    def etag(self) -> str:
        """Identifies the state. It is made from the digest, because the entry number would repeat after a restore."""
        return etag(self.head)

    def model(self, name: str) -> Model:
        """The registered model of this name. Raises ModelNotFound."""
        try:
            return self.models[name]
        except KeyError:
            raise ModelNotFound(f"there is no model {name!r}; `zelador models list` lists all models") from None

    def replaced_by(self, selection: Selection) -> Selection | None:
        """The selection that was in force until `selection` was committed; None if there was none."""
        return next((each for each in reversed(self.history) if each.sequence < selection.sequence), None)

    def previous(self) -> str:
        """The model that rolling back would select. Raises Conflict when there is none."""
        selected = self.selection.model if self.selection else None
        for name in reversed(self.earlier):
            if name != selected and name in self.models:
                return name
        raise Conflict("there is no earlier selection to roll back to; select a model by its name")


def etag(head: str | None) -> str:
    return f"seq-{(head or '')[:16]}"
