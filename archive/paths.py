"""Where a file of the archive is. In a folder it is among the others only while it counts.

    new/readings.<name>.part            written, and not committed yet
    readings/day=…/<name>               while the log names it
    replaced/readings.<name>.old        merged or removed: kept for the grace, for those who read it

So `readings/**/*.parquet` has each archived reading once, for programs that do not read the log. A commit comes before
the rename that it causes; after a crash `settle` repeats the rename, and until then readers find the file under the
other path. The folders sort in the order of a file's life, so that a copy in alphabetical order misses no file that is
renamed meanwhile.

A bucket cannot rename: there a file has one path all its life.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from registry.store import Folder, Store

if TYPE_CHECKING:
    from archive.log import ArchiveLog

NEW, REPLACED = "new", "replaced"
FOLDERS = (NEW, "outcomes", "readings", REPLACED)


def stages(store: Store, path: str) -> tuple[str, ...]:
    """The keys under which the file `path` may be, in the order of its life."""
    return (_new(path), path, _replaced(path)) if isinstance(store, Folder) else (path,)


def put(store: Store, path: str, data: bytes) -> None:
    """Writes a file that is not committed yet."""
    store.put_stream(stages(store, path)[0], [data])


def read(store: Store, path: str) -> bytes | None:
    for key in _usual_first(stages(store, path), path):
        if (found := store.read(key)) is not None:
            return found
    return None


def where(store: Store, path: str) -> str:
    """The path or URL of the file as it is now; of a missing one, where it should be."""
    if isinstance(store, Folder):
        for key in _usual_first(stages(store, path), path):
            if os.path.lexists(found := store.where(key)):
                return found
    return store.where(path)


def show(store: Store, paths: Iterable[str]) -> None:
    """After the commit that adds them: puts files among those that count."""
    if isinstance(store, Folder):
        for path in paths:
            store.move(_new(path), path)


def hide(store: Store, paths: Iterable[str]) -> None:
    """After the commit that replaces or removes them."""
    if isinstance(store, Folder):
        for path in paths:
            if not store.move(_new(path), _replaced(path)):
                store.move(path, _replaced(path))


def settle(store: Store, log: ArchiveLog) -> None:
    """Renames what a killed process has not. Raises Corrupt, Unavailable."""
    if not isinstance(store, Folder):
        return
    found = {item.key for folder in FOLDERS for item in store.list(folder)}
    state = log.sync()  # after the listing: a file was replaced in the log before it was renamed
    for path in state.files:
        if path not in found:
            for key in (_new(path), _replaced(path)):  # the latter in a copy that took a while
                if key in found and store.move(key, path):
                    break
    hide(store, (path for path in state.removed if path in found or _new(path) in found))


def _new(path: str) -> str:
    return f"{NEW}/{_flat(path)}.part"


def _replaced(path: str) -> str:
    return f"{REPLACED}/{_flat(path)}.old"


def _flat(path: str) -> str:
    kind, _, name = path.split("/")
    return f"{kind}.{name}"


def _usual_first(keys: tuple[str, ...], path: str) -> Iterator[str]:
    """A rename between two looks leads to a later key, never to an earlier one."""
    yield path
    if len(keys) > 1:
        yield from keys
