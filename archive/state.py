"""The state of the archive after an entry of its log: which files count. Frozen; no I/O, no clock.

The operations of an entry. They apply together or not at all:

    create   {"archive": id}                            the archive's own id
    add      {"files": [File, …]}                       files made from the streams
    replace  {"removed": [path, …], "files": [File]}    merged: one kind, as many rows, the same keys
    remove   {"paths": [path, …]}                       older than ZELADOR_ARCHIVE__KEEP_S
    sweep    {"paths": [path, …]}                       removed files that are no longer on the disk
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from archive.layout import File, Kind, rows_of, sum_of
from registry.log.apply import Operations, apply_all
from registry.log.entry import Entry
from zelador.buffer.archive_stream import Seen
from zelador.buffer.entry import order_of
from zelador.clock import now_iso
from zelador.errors import Conflict, Corrupt

MAX_COMMITS = 100  # commit ids to remember, by which a writer recognizes its own entry
NONE: Mapping[str, Any] = MappingProxyType({})


class State(msgspec.Struct, frozen=True):
    archive: str = ""  # the archive's own id
    seq: int = 0  # number of the newest log entry
    head: str | None = None  # digest of the newest log entry
    files: Mapping[str, File] = NONE  # path to file, in the order of their first entries
    removed: Mapping[str, str] = NONE  # path to the time at which it was replaced, or removed because of its age
    last: Mapping[str, str] = NONE  # kind to the highest entry of the stream in any file so far
    rows: Mapping[str, int] = NONE  # kind to the rows added so far
    commits: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[File, ...]:
        """Returns the files of a kind, oldest first."""
        found = [file for file in self.files.values() if file.kind == kind]
        return tuple(sorted(found, key=lambda file: (order_of(file.first), file.path)))

    def overlapping(self, kind: Kind, first: str, last: str) -> tuple[File, ...]:
        """Returns the files of a kind whose range of entries overlaps `first` to `last`."""
        low, high = order_of(first), order_of(last)
        if kind not in self.last or low > order_of(self.last[kind]):  # nearly always
            return ()
        return tuple(each for each in self.of(kind) if order_of(each.first) <= high and order_of(each.last) >= low)


def seen_of(state: State) -> Seen:
    """Returns what Redis stores about the state."""
    return Seen(state.archive, state.seq, state.head or "", state.rows.get("readings", 0), now_iso())


def fold(state: State, entry: Entry, digest: str) -> State:
    """Returns the state after `entry`, whose file has `digest`. Raises the same errors as `fold_all`."""
    return fold_all(state, [(entry, digest)])


def fold_all(state: State, entries: Iterable[tuple[Entry, str]]) -> State:
    """Returns the state after `entries`, each with the digest of its file. Copies the state only once.

    Raises Corrupt for an unknown operation, Conflict for one that is not allowed.
    """
    return apply_all(_Draft(state), entries, OPERATIONS, of=" of the archive's log").freeze()


class _Draft:
    """A mutable state, to which entries are being applied."""

    def __init__(self, state: State) -> None:
        self.archive, self.seq, self.head = state.archive, state.seq, state.head
        self.files, self.removed = dict(state.files), dict(state.removed)
        self.last, self.rows = dict(state.last), dict(state.rows)
        self.commits = list(state.commits)

    def commit(self, entry: Entry, digest: str) -> None:
        self.commits = [*self.commits[-MAX_COMMITS + 1 :], entry.commit]
        self.seq, self.head = entry.seq, digest

    def freeze(self) -> State:
        return State(
            self.archive,
            self.seq,
            self.head,
            MappingProxyType(self.files),
            MappingProxyType(self.removed),
            MappingProxyType(self.last),
            MappingProxyType(self.rows),
            tuple(self.commits),
        )

    def take(self, path: str, entry: Entry) -> File:
        """Removes a file, and returns it. Raises Conflict if the archive does not have it."""
        if path not in self.files:
            raise Conflict(f"{path} is not in the archive")
        self.removed[path] = entry.at
        return self.files.pop(path)

    def put(self, file: File) -> None:
        if file.path in self.files:
            raise Conflict(f"{file.path} is already in the archive")
        self.removed.pop(file.path, None)
        self.files[file.path] = file
        if file.kind not in self.last or order_of(file.last) > order_of(self.last[file.kind]):
            self.last[file.kind] = file.last


def _create(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    draft.archive = op["archive"]


def _add(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    for file in _files(op):
        draft.put(file)
        draft.rows[file.kind] = draft.rows.get(file.kind, 0) + file.rows


def _replace(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    added = _files(op)
    removed = [draft.take(path, entry) for path in op["removed"]]
    same = {file.kind for file in removed} == {file.kind for file in added} and len({f.kind for f in added}) == 1
    keys = sum_of(file.keys for file in removed) == sum_of(file.keys for file in added)
    if not same or rows_of(removed) != rows_of(added) or not keys:
        raise Conflict("merged files must have exactly the rows of those that they replace")
    for file in added:
        draft.put(file)


def _remove(draft: _Draft, op: dict[str, Any], entry: Entry) -> None:
    for path in op["paths"]:
        draft.take(path, entry)


def _sweep(draft: _Draft, op: dict[str, Any], _entry: Entry) -> None:
    for path in op["paths"]:
        draft.removed.pop(path, None)


def _files(op: Mapping[str, Any]) -> list[File]:
    try:
        return msgspec.convert(op["files"], list[File])
    except (msgspec.ValidationError, KeyError) as error:
        raise Corrupt(f"the archive's log has an invalid entry for a file ({error})") from None


OPERATIONS: Operations[_Draft] = {
    "create": _create,
    "add": _add,
    "replace": _replace,
    "remove": _remove,
    "sweep": _sweep,
}
