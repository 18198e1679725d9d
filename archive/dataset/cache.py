"""Caches loaded data sets on disk for an hour: a folder for each, which is complete or absent."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from archive.dataset.description import Description
from zelador.errors import NotFound
from zelador.settings.datasets import DatasetSettings
from zelador.undecodable import UNDECODABLE

if TYPE_CHECKING:
    import pyarrow as pa

META, ROWS, DESCRIPTION = "meta.json", "rows.arrow", "description.json"
ID = re.compile(r"[0-9a-f]{24}", re.ASCII)
ABANDONED_S = 86_400.0

log = logging.getLogger(__name__)


class Meta(msgspec.Struct, frozen=True):
    """Facts about a loaded data set. `query` returns the same data set again.

    `digest` is of the rows that were drawn: `rows` of `labeled` labeled rows. `at` is when it was loaded (s since 1970
    UTC), and `seconds` how long that took.
    """

    id: str
    query: dict[str, object]
    source: str
    digest: str
    rows: int
    labeled: int
    classes: dict[str, int]
    features: tuple[str, ...]
    notes: tuple[str, ...]
    at: float
    seconds: float
    knows_devices: bool = True
    knows_times: bool = True
    calendar: bool = True  # its times are moments


class Cached(msgspec.Struct, frozen=True):
    meta: Meta
    bytes: int
    described: bool


class Cache:
    """The folder `ZELADOR_DATASETS__CACHE`. Errors are only logged, because the cache only saves time."""

    def __init__(self, settings: DatasetSettings) -> None:
        self._folder = settings.cache
        self._keep_s = settings.cache_s
        self._bytes = settings.cache_bytes

    def find(self, id_: str) -> Meta | None:
        """Returns the facts about a data set; None if it is not cached, or too old."""
        if not ID.fullmatch(id_):
            return None
        meta = _read(self._folder / id_)
        return meta if meta is not None and self._is_fresh(meta) else None

    def rows(self, id_: str) -> pa.Table | None:
        import pyarrow as pa

        try:
            with pa.OSFile(str(self._folder / id_ / ROWS)) as file:
                return pa.ipc.open_file(file).read_all()
        except (OSError, pa.ArrowException):
            return None

    def description(self, id_: str) -> Description | None:
        try:
            return msgspec.json.decode((self._folder / id_ / DESCRIPTION).read_bytes(), type=Description)
        except (OSError, *UNDECODABLE):
            return None

    def keep(self, meta: Meta, rows: pa.Table, description: Description | None) -> None:
        """Stores a loaded data set in place of one with the same id. The oldest others are removed to make room."""
        import pyarrow as pa

        if rows.nbytes > self._bytes:
            return
        try:
            make_private(self._folder)
            folder = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
            with pa.OSFile(str(folder / ROWS), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
                writer.write_table(rows)
            (folder / META).write_bytes(msgspec.json.encode(meta))
            if description is not None:
                (folder / DESCRIPTION).write_bytes(msgspec.json.encode(description))
            self._remove(meta.id)
            try:
                folder.rename(self._folder / meta.id)
            except OSError:  # another process stored the same one
                shutil.rmtree(folder, ignore_errors=True)
            self.tidy()
        except (OSError, pa.ArrowException) as error:
            log.warning("the data set is not kept in %s: %s", self._folder, error)

    def list(self) -> list[Cached]:
        """Returns the data sets that are not too old, newest first."""
        found = [
            Cached(meta, _size(folder), (folder / DESCRIPTION).exists())
            for folder, meta in self._all()
            if self._is_fresh(meta)
        ]
        return sorted(found, key=lambda each: -each.meta.at)

    def drop(self, id_: str) -> None:
        """Removes a data set. Raises NotFound."""
        if self.find(id_) is None:
            raise NotFound(f"there is no loaded data set {id_[:40]!r}; it may be older than ZELADOR_DATASETS__CACHE_S")
        self._remove(id_)

    def tidy(self) -> None:
        """Removes data sets that are too old, files of killed processes, and then the oldest until the rest fits."""
        left = self._bytes
        for folder, meta in sorted(self._all(), key=lambda each: -each[1].at):
            left -= _size(folder)
            if left < 0 or not self._is_fresh(meta):
                self._remove(folder.name)
        for pattern in (".new-*", ".old-*", "sort-*"):
            for folder in self._folder.glob(pattern):
                if time.time() - _changed_at(folder) > ABANDONED_S:
                    shutil.rmtree(folder, ignore_errors=True)

    def _is_fresh(self, meta: Meta) -> bool:
        return 0 <= time.time() - meta.at < self._keep_s

    def _all(self) -> Iterator[tuple[Path, Meta]]:
        try:
            folders = [each for each in self._folder.iterdir() if ID.fullmatch(each.name)]
        except OSError:
            return
        for folder in folders:
            if (meta := _read(folder)) is not None:
                yield folder, meta

    def _remove(self, id_: str) -> None:
        """Removes a folder. Renames it first, so that nobody sees half of it."""
        old = self._folder / f".old-{id_}-{os.getpid()}-{time.monotonic_ns()}"
        with contextlib.suppress(OSError):  # it does not exist
            (self._folder / id_).rename(old)
            shutil.rmtree(old, ignore_errors=True)


def make_private(folder: Path) -> None:
    """Creates the folder and its parents, for this user only. An existing folder does not change. Raises OSError."""
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)


def _read(folder: Path) -> Meta | None:
    try:
        return msgspec.json.decode((folder / META).read_bytes(), type=Meta)
    except (OSError, *UNDECODABLE):
        return None


def _size(folder: Path) -> int:
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder))
    except OSError:
        return 0


def _changed_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()
