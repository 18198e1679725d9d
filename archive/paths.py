"""The paths of a file of the archive. In a folder, a file is below `readings/` or `outcomes/` only while it counts.

    new/readings.<name>.part            written, and not committed yet
    readings/day=…/<name>               while the log names it
    replaced/readings.<name>.old        merged or removed; kept for the grace period, for current readers

So `readings/**/*.parquet` has each archived reading once, for programs that do not read the log. A file is renamed
after the commit. After a crash, `settle` repeats the rename; until then, readers find the file under the other path.
The names of the folders sort in the order of a file's life, so that a copy in alphabetical order misses no file that
is renamed meanwhile.

A bucket cannot rename, so a file has the same path all its life.
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
    """Returns the keys that the file `path` may have, in the order of its life."""
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
    """Returns the current path or URL of the file; of a missing file, the expected one."""
    if isinstance(store, Folder):
        for key in _usual_first(stages(store, path), path):
            if os.path.lexists(found := store.where(key)):
                return found
    return store.where(path)


def show(store: Store, paths: Iterable[str]) -> None:
    """Renames files after the commit that adds them, so that they are among those that count."""
    if isinstance(store, Folder):
        for path in paths:
            store.move(_new(path), path)


def hide(store: Store, paths: Iterable[str]) -> None:
    """Renames files after the commit that replaces or removes them."""
    if isinstance(store, Folder):
        for path in paths:
            store.move(_new(path), _replaced(path))  # also if another process has written the same file again
            store.move(path, _replaced(path))


def settle(store: Store, log: ArchiveLog) -> None:
    """Makes the renames that a killed process did not make. Raises Corrupt, Unavailable."""
    if not isinstance(store, Folder):
        return
    found = {item.key for folder in FOLDERS for item in store.list(folder)}
    state = log.sync()  # after the listing, because a file is replaced in the log before it is renamed
    for path in state.files:
        if path in found:
            if _new(path) in found:
                store.delete(_new(path))  # another process has written the same file again
            continue
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
    """Yields the keys, the expected one first. A rename in between leads to a later key, never to an earlier one."""
    yield path
    if len(keys) > 1:
        yield from keys
