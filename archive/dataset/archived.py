"""Finds the files of the archive for a data set, and the last entry of the stream that is in them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from archive.dataset.engine import Engine, quoted, text
from archive.dataset.query import Query
from zelador.buffer.entry import order_of
from zelador.errors import Corrupt, ZeladorError
from zelador.printable import counted

if TYPE_CHECKING:
    from archive.archive import Archive
    from archive.layout import File


class Archived(msgspec.Struct, frozen=True):
    """The files for a data set. `last` is None if nothing is archived. `damaged` says why files cannot be read."""

    paths: tuple[str, ...]
    last: tuple[int, int] | None
    damaged: tuple[str, ...] = ()


def last_of(archive: Archive) -> tuple[int, int] | None:
    """Returns the last archived entry of the stream; None if nothing is archived. Raises Corrupt, Unavailable."""
    last = archive.snapshot().last
    return None if last is None else order_of(last)


def files_of(archive: Archive, query: Query, engine: Engine) -> Archived:
    """Returns the files with readings of the query's period. Files in a bucket are copied to the engine's folder.

    Raises Corrupt, Unavailable.
    """
    snapshot = archive.snapshot()
    last = None if snapshot.last is None else order_of(snapshot.last)
    paths: list[str] = []
    damaged: list[str] = []
    for number, file in enumerate(snapshot.readings):
        if not _overlaps(file, query):
            continue
        try:
            paths.append(str(local_path(archive, file, engine, number)))
        except (ZeladorError, OSError) as error:
            damaged.append(f"{counted(file.rows, 'reading is', 'readings are')} missing: {error}")
    return Archived(tuple(paths), last, tuple(damaged))


def select(
    engine: Engine, paths: Sequence[str], features: Sequence[str], where: str, there: Collection[str] | None = None
) -> str:
    """Returns the SQL statement that reads the files. A feature that no file has is null.

    `there` has the columns of the files, if they are known; otherwise each file is opened to find out.
    """
    from archive.layout import column_of

    named = ", ".join(map(text, paths))
    scan = f"read_parquet([{named}], union_by_name = true, hive_partitioning = false)"
    if there is None:
        there = {name for name, *_ in engine.rows(f"describe select * from {scan}")}
    values = [
        f"{quoted(column_of(name)) if column_of(name) in there else 'null'}::double as f{at}"
        for at, name in enumerate(features)
    ]
    return (
        "select device_id as device, epoch_ms(measured_at) as measured, epoch_ms(received_at) as received, "
        f"entry_ms as ms, entry_seq as seq, place::bigint as place, id, label as own, {', '.join(values)} "
        f"from {scan} where {where}"
    )


def _overlaps(file: File, query: Query) -> bool:
    return (query.end is None or file.begin < query.end) and (query.begin is None or file.end >= query.begin)


def local_path(archive: Archive, file: File, engine: Engine, number: int) -> Path:
    """Returns a path that stays valid even if the file is merged or removed. Raises Corrupt, Unavailable, OSError."""
    copy = engine.folder / f"{number}.parquet"
    path = archive.path(file)
    if path is None:
        copy.write_bytes(archive.data(file))
        return copy
    try:
        found = _held(path, copy, engine)
    except FileNotFoundError:  # missing, or renamed in between
        path = archive.path(file) or path
        try:
            found = _held(path, copy, engine)
        except FileNotFoundError:
            raise _damage(path, "is missing") from None
    if found.stat().st_size != file.bytes:
        raise _damage(path, "differs from what was written")
    return found


def _held(path: Path, copy: Path, engine: Engine) -> Path:
    """Returns a second path of the file, which renaming does not change. Raises OSError."""
    try:
        os.link(path, copy, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # on another disk, for instance
        return engine.held(path)
    return copy if not copy.is_symlink() else path


def _damage(path: Path, what: str) -> Corrupt:
    return Corrupt(f"{path} {what}; `zelador data verify` names all such files; restore it from a backup")
