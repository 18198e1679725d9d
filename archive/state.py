"""The state of the archive after an entry of its log: which files count. Frozen; no I/O, no clock.

Operations of an entry, which apply together or not at all:

    create   {"archive": id}                            the archive's own id
    add      {"files": [File, …]}                       files made from the streams
    replace  {"removed": [path, …], "files": [File]}    merged: one kind, as many rows, the same keys
    remove   {"paths": [path, …]}                       older than what is kept
    sweep    {"paths": [path, …]}                       removed files that are no longer on the disk
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from archive.layout import File, Kind, rows_of, sum_of
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
    files: Mapping[str, File] = NONE  # by path, in the order of their first entries
    removed: Mapping[str, str] = NONE  # replaced or too old, by path: when
    last: Mapping[str, str] = NONE  # by kind: the highest entry of the stream that any file has had
    rows: Mapping[str, int] = NONE  # by kind: rows added so far
    commits: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[File, ...]:
        """The files of a kind, oldest first."""
        found = [file for file in self.files.values() if file.kind == kind]
        return tuple(sorted(found, key=lambda file: (order_of(file.first), file.path)))

    def overlapping(self, kind: Kind, first: str, last: str) -> tuple[File, ...]:
        """The files whose range of entries has one in common with `first` to `last`."""
        low, high = order_of(first), order_of(last)
        if kind not in self.last or low > order_of(self.last[kind]):  # nearly always
            return ()
        return tuple(each for each in self.of(kind) if order_of(each.first) <= high and order_of(each.last) >= low)


def seen_of(state: State) -> Seen:
    """The state as Redis remembers it."""
    return Seen(state.archive, state.seq, state.head or "", state.rows.get("readings", 0), now_iso())


def fold(state: State, entry: Entry, digest: str) -> State:
    """The state after `entry`, whose file has `digest`. Raises Conflict if it is not allowed, Corrupt if unknown."""
    return fold_all(state, [(entry, digest)])


def fold_all(state: State, entries: Iterable[tuple[Entry, str]]) -> State:
    """The state after `entries`, each with the digest of its file. Copies the state once, not once per entry."""
    draft = _Draft(state)
    for entry, digest in entries:
        for op in entry.ops:
            apply = OPERATIONS.get(op.get("op", ""))
            if apply is None:
                raise Corrupt(
                    f"entry {entry.seq} of the archive's log has the operation {op.get('op')!r}, which this version "
                    "does not know: upgrade Zelador"
                )
            apply(draft, op, entry)
        draft.commits = [*draft.commits[-MAX_COMMITS + 1 :], entry.commit]
        draft.seq, draft.head = entry.seq, digest
    return draft.freeze()


class _Draft:
    """A mutable state, to which entries are being applied."""

    def __init__(self, state: State) -> None:
        self.archive, self.seq, self.head = state.archive, state.seq, state.head
        self.files, self.removed = dict(state.files), dict(state.removed)
        self.last, self.rows = dict(state.last), dict(state.rows)
        self.commits = list(state.commits)

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
        """Removes a file that counts. Raises Conflict."""
        if path not in self.files:
            raise Conflict(f"{path} is not in the archive")
        self.removed[path] = entry.at
        return self.files.pop(path)

    def put(self, file: File) -> None:
        if file.path in self.files:
            raise Conflict(f"{file.path} is in the archive already")
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
        raise Corrupt(f"the archive's log names a file that is none ({error})") from None


OPERATIONS: dict[str, Callable[[_Draft, dict[str, Any], Entry], None]] = {
    "create": _create,
    "add": _add,
    "replace": _replace,
    "remove": _remove,
    "sweep": _sweep,
}
