"""The fold: computes the state of the registry from the entries of its log. Pure: no I/O, no clock.

The rules of the chain. An entry is valid if all of these hold (`log.decode` checks 1 to 3, `follow.Follower` 4,
this module 5 to 8):

1. It is a JSON object with exactly the fields of `log.Entry`; `signature` may be absent.
2. `seq` is the number of the previous entry plus one, and the number in its file name. The first entry is 1.
3. `previous` is the SHA-256 of the bytes of the previous entry's file; null in the first entry.
4. If a signing key is set: its signature is by a known key, or a later `trust` entry covers it.
5. Each of its operations is one of `OPERATIONS`. An unknown operation is an error, never skipped.
6. Each operation is allowed in the state that the operations before it left. A name is registered only while it is
   free; the selected model is neither renamed nor deleted; files of a registered model are never condemned.
7. An entry applies as a whole: if one operation is not allowed, the entry is not valid.
8. `trust` names the number and the digest of the entry before it.

The state follows from the entries alone: the same entries give the same state in every process.

    >>> from registry.log.entry import Entry, decode, digest, encode
    >>> from registry.log.state import State
    >>> create = {"op": "create", "registry": "example"}
    >>> save = {"op": "register", "name": "press", "upload": "u1", "digest": "00", "metadata": {}}
    >>> select = {"op": "select", "name": "press"}
    >>> first = Entry(1, None, "c1", "2026-01-01T00:00:00.000Z", "ana", "", (create,))
    >>> state = fold(State(), first, digest(encode(first)))
    >>> second = Entry(2, state.head, "c2", "2026-01-01T00:00:01.000Z", "ana", "", (save, select))
    >>> state = fold(state, second, digest(encode(second)))
    >>> state.seq, state.selection.model
    (2, 'press')

    Rules 2 and 3, an entry that does not follow the previous one:

    >>> decode(encode(first), 3, state.head)
    Traceback (most recent call last):
    zelador.errors.Corrupt: log/00000003.json does not follow the previous entry: ...

    Rule 6, an operation that is not allowed in this state:

    >>> delete = {"op": "delete", "name": "press"}
    >>> third = Entry(3, state.head, "c3", "2026-01-01T00:00:02.000Z", "ana", "", (delete,))
    >>> fold(state, third, digest(encode(third)))
    Traceback (most recent call last):
    registry.errors.ModelSelected: press is the selected model; select another one before you delete it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from registry.errors import ChangedMeanwhile, DuplicateName, ModelSelected, UploadCollected
from registry.log.apply import Operations, apply_all
from registry.log.entry import Entry
from registry.log.state import Model, Reservation, Selection, State
from registry.names import check_name
from zelador.errors import Conflict

MAX_COMMITS = 1_000  # commit ids to remember, by which a writer recognizes its own entry; older ones are not needed
MAX_CONDEMNED = 10_000  # condemned uploads to remember; no save takes as long as that many condemnations


def fold(state: State, entry: Entry, digest: str) -> State:
    """The state after `entry`, whose file has `digest`. Raises the same errors as `fold_all`."""
    return fold_all(state, [(entry, digest)])


def fold_all(state: State, entries: Iterable[tuple[Entry, str]]) -> State:
    """The state after `entries`, each with the digest of its file. Copies the state once, not once per entry.

    Raises Corrupt for an operation that this version does not know; Conflict, NotFound or InvalidInput for one that
    is not allowed. A commit folds its entry before it writes it.
    """
    return apply_all(_Draft(state), entries, OPERATIONS).freeze()


class _Draft:
    """A mutable state, to which entries are being applied."""

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

    def commit(self, entry: Entry, digest: str) -> None:
        self.commits[entry.commit] = entry.seq
        self.seq, self.head = entry.seq, digest

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
            MappingProxyType(_newest(self.condemned, MAX_CONDEMNED)),
            MappingProxyType(_newest(self.commits, MAX_COMMITS)),
            self.trusted,
        )

    def model(self, name: str) -> Model:
        return State(models=self.models).model(name)

    @cached_property
    def moved(self) -> dict[str, str]:
        """The names of renamed models by payload. Made at first use, because it reads every model."""
        return {model.payload: model.name for model in self.models.values() if model.stored_as}

    def holder(self, payload: str) -> str | None:
        """The name of the model that has this payload; None if no model does."""
        for name in (payload.partition("/")[0], self.moved.get(payload, "")):
            if (model := self.models.get(name)) is not None and model.payload == payload:
                return name
        return None

    def choose(self, name: str, entry: Entry, rolled_back: bool) -> None:
        self.selection = Selection(name, entry.seq, entry.by, entry.at, entry.why, rolled_back)
        self.history.append(self.selection)


def _newest(values: dict[str, Any], limit: int) -> dict[str, Any]:
    for name in list(values)[: max(0, len(values) - limit)]:
        del values[name]
    return values


# ── the operations ───────────────────────────────────────────────────────────────────────────


def _create(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    draft.registry = op["registry"]


def _register(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    name, upload = check_name(op["name"]), check_name(op["upload"])
    _check_free(draft, name, op.get("token"), entry)
    if f"{name}/{upload}" in draft.condemned:
        raise UploadCollected(f"a collection condemned the upload of {name}; save the model again")
    if (holder := draft.holder(f"{name}/{upload}")) is not None:
        raise Conflict(f"the upload is of {holder}, which was renamed from {name}; upload the model again")
    draft.reserved.pop(name, None)
    # Selections of a deleted model with this name do not count: the new model was never selected.
    draft.earlier = [each for each in draft.earlier if each != name]
    tags = tuple(sorted(set(op.get("tags", ()))))
    draft.models[name] = Model(name, upload, op["digest"], op["metadata"], entry.at, entry.by, tags, entry.seq)


def _reserve(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    name = check_name(op["name"])
    _check_free(draft, name, op["token"], entry)
    draft.reserved = {key: value for key, value in draft.reserved.items() if value.until >= entry.at}
    draft.reserved[name] = Reservation(op["token"], op["until"], entry.by)


def _check_free(draft: _Draft, name: str, token: str | None, entry: Entry) -> None:
    if name in draft.models:
        raise DuplicateName(f"there is a model {name!r} already; choose another name (a model is never overwritten)")
    reserved = draft.reserved.get(name)
    if reserved is not None and reserved.token != token and reserved.until >= entry.at:
        raise DuplicateName(f"{name!r} is reserved by {reserved.by} until {reserved.until}; choose another name")


def _annotate(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    model = draft.model(op["name"])
    draft.models[model.name] = replace(model, metadata={**model.metadata, **op["metadata"]})


def _tag(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    model = draft.model(op["name"])
    tags = (set(model.tags) | set(op["add"])) - set(op["remove"])
    draft.models[model.name] = replace(model, tags=tuple(sorted(tags)))


def _rename(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    """Renames a model. The list for rolling back gets the new name; the history keeps the old one."""
    model, to = draft.model(op["name"]), check_name(op["to"])
    if draft.selection is not None and draft.selection.model == model.name:
        raise ModelSelected(selected_is_not_renamed(model.name))
    _check_free(draft, to, None, entry)
    draft.reserved.pop(to, None)
    del draft.models[model.name]
    first = model.stored_as or model.name
    renamed = draft.models[to] = replace(model, name=to, stored_as="" if first == to else first)
    draft.moved[renamed.payload] = to
    # Selections of a deleted model named `to` do not count: the renamed model was not selected by that name.
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
    """Selects the previous model. `to` is in the entry for readers of the log; it must be what the fold finds."""
    to = State(models=draft.models, selection=draft.selection, earlier=tuple(draft.earlier)).previous()
    if to != op["to"]:
        raise ChangedMeanwhile(f"rolling back would select {to}, not {op['to']}; check the history, then retry")
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
            raise Conflict(f"{key} contains the files of {name} and cannot be collected")
        draft.condemned.setdefault(key, entry.at)


def _trust(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    """Vouches for all entries up to `seq`, if it is signed: the digest chain covers all of them."""
    if (op["seq"], op["head"]) != (draft.seq, draft.head):
        raise ChangedMeanwhile("the registry changed after you read it; read it again, then retry")
    draft.trusted = op["seq"]


OPERATIONS: Operations[_Draft] = {
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
