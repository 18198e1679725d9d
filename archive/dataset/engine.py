"""The database engine (DuckDB) that reads, joins and sorts a data set: in this process, limited, without network."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from typing import TYPE_CHECKING, Any

from archive.dataset.cache import make_private
from zelador.errors import Unavailable
from zelador.settings.datasets import DatasetSettings

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 100_000
INTERRUPT_S = 0.05  # between two interruptions of a connection that does not end
DESCRIPTORS = Path("/proc/self/fd")


class OpenEngines:
    """The connections of this process, so that it can end: it would be aborted if it exited during a statement."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._open: set[Any] = set()

    def add(self, connection: Any) -> None:
        with self._changed:
            self._open.add(connection)

    def close(self, connection: Any) -> None:
        with self._changed:  # so that no closed connection is interrupted
            connection.close()
            self._open.discard(connection)
            self._changed.notify_all()

    def end(self, wait_s: float) -> bool:
        """Interrupts statements until no connection is open. Returns whether none is, after `wait_s` at most."""
        with self._changed:
            until = time.monotonic() + wait_s
            while self._open and time.monotonic() < until:
                for connection in self._open:  # a reader that goes on with its next statement is interrupted again
                    connection.interrupt()
                self._changed.wait(INTERRUPT_S)
            return not self._open


OPEN = OpenEngines()


class Engine:
    """Runs statements on one connection. Raises Unavailable if memory or disk are too small, or a file is damaged.

    `folder` is for files that are removed at the end.
    """

    def __init__(self, connection: Any, folder: Path) -> None:
        self._connection = connection
        self.folder = folder
        self._open: list[int] = []

    def held(self, path: Path) -> Path:
        """Returns a path that stays valid if the file is renamed or deleted, on systems that have such paths.

        Raises OSError.
        """
        if len(self._open) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4 or not DESCRIPTORS.is_dir():
            path.stat()
            return path
        self._open.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return DESCRIPTORS / str(self._open[-1])

    def close(self) -> None:
        """Closes the held files."""
        while self._open:
            os.close(self._open.pop())

    def run(self, statement: str, parameters: Sequence[object] = ()) -> None:
        self._execute(statement, parameters)

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._execute(statement, parameters).fetchall()
        return found

    def table(self, statement: str) -> pa.Table:
        import duckdb

        try:
            return self._connection.sql(statement).to_arrow_table()
        except duckdb.Error as error:
            raise _translated(error) from None

    def batches(self, statement: str) -> Iterator[pa.RecordBatch]:
        """Yields the result in portions, if it may not fit into memory."""
        import duckdb

        try:
            yield from self._connection.sql(statement).to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            raise _translated(error) from None

    def add(self, name: str, table: pa.Table) -> None:
        """Adds `table` as `name`."""
        self._connection.register(name, table)

    def _execute(self, statement: str, parameters: Sequence[object]) -> Any:
        import duckdb

        try:
            return self._connection.execute(statement, list(parameters))
        except duckdb.Error as error:
            raise _translated(error) from None


@contextmanager
def open_engine(limits: DatasetSettings) -> Iterator[Engine]:
    """Opens an engine. Data that does not fit into `memory_bytes` goes to a folder that is removed at the end."""
    import duckdb

    with _folder(limits.cache) as spill:
        connection = duckdb.connect(
            config={
                "memory_limit": f"{limits.memory_bytes}B",
                "threads": limits.threads,
                "temp_directory": spill,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": False,
                "python_enable_replacements": False,
            }
        )
        engine = Engine(connection, Path(spill))
        OPEN.add(connection)
        try:
            yield engine
        finally:
            OPEN.close(connection)
            engine.close()


def _folder(cache: Path) -> tempfile.TemporaryDirectory[str]:
    """Creates a temporary folder in the cache, or in the system's if the cache cannot be written (in a container)."""
    for parent in (cache, None):
        try:
            if parent is not None:
                make_private(parent)
            return tempfile.TemporaryDirectory(prefix="sort-", dir=parent, ignore_cleanup_errors=True)
        except OSError as error:
            trouble = error
    raise Unavailable(
        f"cannot write to {cache} ({trouble.strerror}); set ZELADOR_DATASETS__CACHE to a folder that can be written"
    )


def quoted(name: str) -> str:
    """Quotes an identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Quotes a text for a statement, whatever characters it has."""
    return "'" + value.replace("'", "''") + "'"


def _translated(error: Exception) -> Exception:
    """Translates an error of the engine to one that says what to do. An error in a statement does not change."""
    import duckdb

    reason = " ".join(str(error).split())[:300]
    if isinstance(error, duckdb.InterruptException):
        return Unavailable("the process is stopping")
    if isinstance(error, duckdb.OutOfMemoryException):
        return Unavailable(
            f"the data set needs more memory or temporary space than allowed ({reason}); choose a shorter period or "
            "fewer devices, or raise ZELADOR_DATASETS__MEMORY_BYTES"
        )
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException | duckdb.SerializationException):
        return Unavailable(
            f"the archive cannot be read ({reason}); restore damaged files, which `zelador data verify` names, from "
            "a backup"
        )
    return error
