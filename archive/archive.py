"""Opens an archive, lists its files, and reads them.

    from archive.archive import open_archive

    archive = open_archive(settings.archive)            # or a path, or a bucket's URL
    snapshot = archive.snapshot()                       # from the log, never from a listing of the folder
    for file in snapshot.readings:                      # layout.File: path, rows, bytes, first, last, begin, end
        table = archive.table(file, ["id", "device_id"])

The files of a snapshot stay readable for `ZELADOR_ARCHIVE__GRACE_S` after they were merged or removed; `path` and
`where` say where they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from archive import paths
from archive.layout import File
from archive.log import ArchiveLog
from archive.state import State
from registry.store import Folder, Purpose, Store, open_store
from zelador.errors import Corrupt, InvalidInput
from zelador.settings import ArchiveSettings
from zelador.settings.bucket import by_name

PURPOSE = Purpose("archive", "ZELADOR_ARCHIVE__URL")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of the archive at one moment, oldest first."""

    archive: str  # the archive's own id; empty if there is none yet
    seq: int  # number of the log entry
    head: str | None  # digest of that entry, which identifies the content
    readings: tuple[File, ...]
    outcomes: tuple[File, ...]
    last: str | None  # the newest entry of the stream `readings` that is archived

    @classmethod
    def of(cls, state: State) -> Snapshot:
        files = state.of("readings"), state.of("outcomes")
        return cls(state.archive, state.seq, state.head, *files, state.last.get("readings"))

    @property
    def rows(self) -> int:
        """The number of archived readings."""
        return sum(file.rows for file in self.readings)


class Archive:
    """An archive, opened for reading. Thread-safe."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self.url = url
        self.log = ArchiveLog(store)

    @property
    def store(self) -> Store:
        return self._store

    def snapshot(self) -> Snapshot:
        """Returns the current files. An archive that does not exist yet has none. Raises Corrupt, Unavailable."""
        return Snapshot.of(self.log.sync())

    def path(self, file: File) -> Path | None:
        """Returns the current path of the file on this machine; None if the archive is in a bucket."""
        return Path(self.where(file)) if isinstance(self._store, Folder) else None

    def where(self, file: File) -> str:
        """Returns the path or URL of a file."""
        return paths.where(self._store, file.path)

    def data(self, file: File) -> bytes:
        """Returns the checked bytes of a file. Raises Corrupt if it is missing or differs from what was written."""
        found = paths.read(self._store, file.path)
        if found is None:
            raise Corrupt(f"{self.where(file)} is missing; restore it from a backup")
        if hashlib.sha256(found).hexdigest() != file.sha256:
            raise Corrupt(f"{self.where(file)} differs from what was written; restore it from a backup")
        return found

    def table(self, file: File, columns: Sequence[str] | None = None) -> pa.Table:
        """Returns the rows of a file, with only these columns. Raises Corrupt."""
        data = self.data(file)
        try:
            return pq.read_table(pa.BufferReader(data), columns=columns, partitioning=None)
        except (pa.ArrowException, OSError) as error:
            raise Corrupt(f"{self.where(file)} cannot be read ({error}); restore it from a backup") from None


def open_archive(where: ArchiveSettings | str | Path, make: bool = False) -> Archive:
    """Opens the archive at a path or URL, or of the settings. Without `make`, writes nothing. Raises InvalidInput."""
    settings = where if isinstance(where, ArchiveSettings) else ArchiveSettings(url=str(where))
    options = by_name(settings.bucket)
    if not settings.url:
        raise InvalidInput("ZELADOR_ARCHIVE__URL is empty; name a folder or a bucket")
    return Archive(open_store(settings.url, options, settings.timeout_s, make, PURPOSE), settings.url)
