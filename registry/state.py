"""The state of the registry: the fold of its log. Frozen; a new entry makes a new state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from registry.errors import DuplicateName, ModelNotFound, ModelSelected
from registry.log import Entry
from zelador.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model. `digest` is the SHA-256 of its manifest, and so of all its files."""

    name: str
    upload: str
    digest: str
    metadata: Mapping[str, Any]
    saved_at: str
    saved_by: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which model is live since when. `sequence` is the number of the log's entry: no two selections share it."""

    model: str
    sequence: int
    by: str
    at: str
    why: str


@dataclass(frozen=True, slots=True)
class State:
    registry: str = ""  # the registry's own id
    seq: int = 0  # of the log's newest entry
    head: str | None = None  # its digest
    models: Mapping[str, Model] = field(default_factory=lambda: MappingProxyType({}))
    selection: Selection | None = None
    history: tuple[Selection, ...] = ()  # every selection, oldest first
    commits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def etag(self) -> str:
        """Changes with every change; the number alone would come again after a restore."""
        return f"seq-{(self.head or '')[:16]}"

    def model(self, name: str) -> Model:
        """Raises ModelNotFound."""
        try:
            return self.models[name]
        except KeyError:
            raise ModelNotFound(f"there is no model {name!r}; `zelador models list` shows what there is") from None


def fold(state: State, entry: Entry, digest: str) -> State:
    """The state after `entry`, whose file has `digest`.

    Raises Corrupt for an entry that this version does not know; a Conflict or NotFound where the
    entry's operations are not allowed on `state` (commit asks this before it writes).
    """
    for op in entry.ops:
        apply = OPERATIONS.get(op.get("op", ""))
        if apply is None:
            raise Corrupt(
                f"entry {entry.seq} holds {op.get('op')!r}, which this version does not know: upgrade Zelador"
            )
        state = apply(state, op, entry)
    commits = {**state.commits, entry.commit: entry.seq}
    return replace(state, seq=entry.seq, head=digest, commits=MappingProxyType(commits))


def _create(state: State, op: dict[str, Any], entry: Entry) -> State:
    return replace(state, registry=op["registry"])


def _register(state: State, op: dict[str, Any], entry: Entry) -> State:
    name = op["name"]
    if name in state.models:
        raise DuplicateName(f"there is a model {name!r} already; choose another name (a model is never overwritten)")
    model = Model(name, op["upload"], op["digest"], op["metadata"], entry.at, entry.by)
    return replace(state, models=MappingProxyType({**state.models, name: model}))


def _select(state: State, op: dict[str, Any], entry: Entry) -> State:
    state.model(op["name"])
    selection = Selection(op["name"], entry.seq, entry.by, entry.at, entry.why)
    return replace(state, selection=selection, history=(*state.history, selection))


def _annotate(state: State, op: dict[str, Any], entry: Entry) -> State:
    model = state.model(op["name"])
    changed = replace(model, metadata={**model.metadata, **op["metadata"]})
    return replace(state, models=MappingProxyType({**state.models, model.name: changed}))


def _delete(state: State, op: dict[str, Any], entry: Entry) -> State:
    name = state.model(op["name"]).name
    if state.selection is not None and state.selection.model == name:
        raise ModelSelected(f"{name} is the selected model; select another one before you delete it")
    return replace(state, models=MappingProxyType({k: m for k, m in state.models.items() if k != name}))


OPERATIONS: dict[str, Callable[[State, dict[str, Any], Entry], State]] = {
    "create": _create,
    "register": _register,
    "select": _select,
    "annotate": _annotate,
    "delete": _delete,
}
