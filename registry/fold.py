"""The fold of the log: the state after an entry, and what each operation is allowed to do. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from registry.errors import Condemned, DuplicateName, ModelSelected, Moved
from registry.log import Entry
from registry.names import check_name
from registry.state import Model, Reservation, Selection, State
from zelador.errors import Conflict, Corrupt

KEPT_COMMITS = 1_000  # a writer looks for its own commit among the newest; one that is older has long been answered
KEPT_CONDEMNED = 10_000  # a save that slept through so many condemnations would be the first


def fold(state: State, entry: Entry, digest: str) -> State:
    """The state after `entry`, whose file has `digest`. Raises as `fold_all`."""
    return fold_all(state, [(entry, digest)])


def fold_all(state: State, entries: Iterable[tuple[Entry, str]]) -> State:
    """The state after `entries`, each with the digest of its file; copies the state once, not once an entry.

    Raises Corrupt for an entry that this version does not know; a Conflict, NotFound or InvalidInput where the
    entry's operations are not allowed (commit asks this before it writes).
    """
    draft = _Draft(state)
    for entry, digest in entries:
        for op in entry.ops:
            apply = OPERATIONS.get(op.get("op", ""))
            if apply is None:
                raise Corrupt(
                    f"entry {entry.seq} holds {op.get('op')!r}, which this version does not know: upgrade Zelador"
                )
            apply(draft, op, entry)
        draft.commits[entry.commit] = entry.seq
        draft.seq, draft.head = entry.seq, digest
    return draft.freeze()


class _Draft:
    """A state that is still being folded."""

    def __init__(self, state: State) -> None:
        self.registry, self.seq, self.head = state.registry, state.seq, state.head
        self.models = dict(state.models)
        self.selection = state.selection
        self.history = list(state.history)
        self.earlier = list(state.earlier)
        self.reserved = dict(state.reserved)
        self.condemned = dict(state.condemned)
        self.commits = dict(state.commits)
        self.trusted = state.trusted

    def freeze(self) -> State:
        return State(
            self.registry,
            self.seq,
            self.head,
            MappingProxyType(self.models),
            self.selection,
            tuple(self.history),
            tuple(self.earlier),
            MappingProxyType(self.reserved),
            MappingProxyType(_newest(self.condemned, KEPT_CONDEMNED)),
            MappingProxyType(_newest(self.commits, KEPT_COMMITS)),
            self.trusted,
        )

    def model(self, name: str) -> Model:
        return State(models=self.models).model(name)

    @cached_property
    def moved(self) -> dict[str, str]:
        """Renamed models by their payload; made when it is first asked for, because that reads every model."""
        return {model.payload: model.name for model in self.models.values() if model.stored_as}

    def holder(self, payload: str) -> str | None:
        """The model whose files those are."""
        for name in (payload.partition("/")[0], self.moved.get(payload, "")):
            if (model := self.models.get(name)) is not None and model.payload == payload:
                return name
        return None

    def choose(self, name: str, entry: Entry, rolled_back: bool) -> None:
        self.selection = Selection(name, entry.seq, entry.by, entry.at, entry.why, rolled_back)
        self.history.append(self.selection)


def _newest(kept: dict[str, Any], most: int) -> dict[str, Any]:
    for name in list(kept)[: max(0, len(kept) - most)]:
        del kept[name]
    return kept


# ── the operations ───────────────────────────────────────────────────────────────────────────


def _create(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    draft.registry = op["registry"]


def _register(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    name, upload = check_name(op["name"]), check_name(op["upload"])
    _check_free(draft, name, op.get("token"), entry)
    if f"{name}/{upload}" in draft.condemned:
        raise Condemned(f"the upload of {name} was given up by a collection; save it again")
    if (holder := draft.holder(f"{name}/{upload}")) is not None:
        raise Conflict(f"the upload is that of {holder}, which was {name} before; upload the model anew")
    draft.reserved.pop(name, None)
    draft.earlier = [each for each in draft.earlier if each != name]  # of a deleted one: this was never selected
    tags = tuple(sorted(set(op.get("tags", ()))))
    draft.models[name] = Model(name, upload, op["digest"], op["metadata"], entry.at, entry.by, tags, entry.seq)


def _reserve(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    name = check_name(op["name"])
    _check_free(draft, name, op["token"], entry)
    draft.reserved = {held: found for held, found in draft.reserved.items() if found.until >= entry.at}
    draft.reserved[name] = Reservation(op["token"], op["until"], entry.by)


def _check_free(draft: _Draft, name: str, token: str | None, entry: Entry) -> None:
    if name in draft.models:
        raise DuplicateName(f"there is a model {name!r} already; choose another name (a model is never overwritten)")
    held = draft.reserved.get(name)
    if held is not None and held.token != token and held.until >= entry.at:
        raise DuplicateName(f"{name!r} is reserved by {held.by} until {held.until}; choose another name")


def _annotate(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    model = draft.model(op["name"])
    draft.models[model.name] = replace(model, metadata={**model.metadata, **op["metadata"]})


def _tag(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    model = draft.model(op["name"])
    tags = (set(model.tags) | set(op["add"])) - set(op["remove"])
    draft.models[model.name] = replace(model, tags=tuple(sorted(tags)))


def _rename(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    """What rolling back goes to is a model, so it follows; the history is what happened, so it does not."""
    model, to = draft.model(op["name"]), check_name(op["to"])
    if draft.selection is not None and draft.selection.model == model.name:
        raise ModelSelected(selected_is_not_renamed(model.name))
    _check_free(draft, to, None, entry)
    draft.reserved.pop(to, None)
    del draft.models[model.name]
    first = model.stored_as or model.name
    renamed = draft.models[to] = replace(model, name=to, stored_as="" if first == to else first)
    draft.moved[renamed.payload] = to
    # What was called `to` and is deleted goes: the renamed model was never selected in its place.
    draft.earlier = [to if name == model.name else name for name in draft.earlier if name != to]


def selected_is_not_renamed(name: str) -> str:
    return (
        f"{name} is the selected model, and predictions go out under its name; select another one "
        "(zelador models select) before you rename it"
    )


def _select(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    name = draft.model(op["name"]).name
    if draft.selection is not None and draft.selection.model != name:
        draft.earlier.append(draft.selection.model)
    draft.choose(name, entry, rolled_back=False)


def _roll_back(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    """`to` is in the entry for whoever reads the log; the fold must find the same."""
    to = State(models=draft.models, selection=draft.selection, earlier=tuple(draft.earlier)).previous()
    if to != op["to"]:
        raise Moved(f"rolling back would select {to}, not {op['to']}; look at the history and decide anew")
    while draft.earlier.pop() != to:
        pass
    draft.choose(to, entry, rolled_back=True)


def _delete(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    name = draft.model(op["name"]).name
    if draft.selection is not None and draft.selection.model == name:
        raise ModelSelected(f"{name} is the selected model; select another one before you delete it")
    del draft.models[name]


def _condemn(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    for key in op["uploads"]:
        if (name := draft.holder(key)) is not None:
            raise Conflict(f"{key} holds the files of {name} and cannot be collected")
        draft.condemned.setdefault(key, entry.at)


def _trust(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    """Signed, it vouches for all entries up to `seq`: each holds the digest of the one before."""
    if (op["seq"], op["head"]) != (draft.seq, draft.head):
        raise Moved("the registry has changed since you looked; look again and decide anew")
    draft.trusted = op["seq"]


OPERATIONS: dict[str, Callable[[_Draft, dict[str, Any], Entry], None]] = {
    "create": _create,
    "register": _register,
    "reserve": _reserve,
    "annotate": _annotate,
    "tag": _tag,
    "rename": _rename,
    "select": _select,
    "roll_back": _roll_back,
    "delete": _delete,
    "condemn": _condemn,
    "trust": _trust,
}
