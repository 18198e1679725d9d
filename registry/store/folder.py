"""A folder as a store. Created files are complete, durable, and never overwritten.

It writes to a temporary name, calls fsync, links to the final name (which fails if it is taken), unlinks, and calls
fsync on the directory: after a power cut a file exists with all its bytes, or not at all.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from registry.store.chunks import FileChunks
from registry.store.sizes import check_size, limit_of
from registry.store.store import REGISTRY, Item, Purpose, Uncertain, parts_of
from zelador.errors import Corrupt, Unavailable
from zelador.user import expanded

TEMPORARY = ".tmp"
STALE_S = 86_400.0  # a temporary file older than this belongs to a process that died
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
RENAME_NOREPLACE = 1
AT_FDCWD = -100
MAX_DEPTH = 16  # nesting of folders in a listing; Zelador's are 5 deep
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Folder:
    def __init__(self, path: Path, make: bool = True, purpose: Purpose = REGISTRY) -> None:
        """Creates the folder if necessary. Raises Unavailable if it is not writable.

        Without `make` nothing is written, and a missing folder counts as empty.
        """
        self.path = expanded(path)
        self._purpose = purpose
        if not make:
            return
        try:
            self._make(self.path / TEMPORARY)
            self._sweep()
        except OSError as error:
            raise self._cannot("written", error) from None

    def __repr__(self) -> str:
        return f"Folder({str(self.path)!r})"

    def create(self, key: str, data: bytes) -> bool:
        """True: written; False: the key exists. Raises Uncertain only after an attempt to link."""
        final = self._path(key)
        temporary = self._write(final, [data])
        try:
            try:
                created = _link(temporary, final)
            except OSError as error:
                raise self._cannot("written", error) from None
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        try:
            _sync_directory(final.parent)  # even if the key exists: a process that sees an entry may build on it
        except OSError as error:
            raise Uncertain(f"{final} may not be on the disk yet ({error})") from None
        return created

    def read(self, key: str) -> bytes | None:
        try:
            return _contents(self._path(key), key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._cannot("read", error) from None

    def list(self, prefix: str, after: str = "") -> Iterator[Item]:
        try:
            found = sorted(self._walk(self._path(prefix), prefix, after))
        except OSError as error:
            raise self._cannot("read", error) from None
        for key, path in found:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                yield Item(key, os.lstat(path).st_mtime)

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        final = self._path(key)
        self._rename(self._write(final, pieces), final)
        self._sync(final)

    def copy(self, source: str, key: str) -> None:
        """Makes a hard link: a payload is written once and never changed in place."""
        origin, final = self._path(source), self._path(key)
        try:
            self._make(final.parent)
            try:
                os.link(origin, final)
            except FileNotFoundError:  # a collection found the directory empty and removed it
                self._make(final.parent)
                os.link(origin, final)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise self._cannot("written", error) from None
            self.put_stream(key, FileChunks(origin))
            return
        self._sync(final)

    def move(self, source: str, key: str) -> bool:
        """Renames a payload to another unique key. False if there is no `source`. Durable when it returns."""
        origin, final = self._path(source), self._path(key)
        try:
            self._make(final.parent)
            origin.rename(final)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._cannot("written", error) from None
        self._sync(final)
        self._sync(origin)
        return True

    def replace(self, key: str, data: bytes) -> None:
        final = self._path(key)
        self._rename(self._write(final, [data], durable=False), final)

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # also remove a folder that is now empty
                while path.parent != self.path:
                    path = path.parent
                    path.rmdir()
        except OSError as error:
            raise self._cannot("written", error) from None

    def where(self, key: str) -> str:
        return str(self._path(key))

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _path(self, key: str) -> Path:
        return self.path.joinpath(*parts_of(key))

    def _walk(self, directory: Path | str, prefix: str, after: str) -> Iterator[tuple[str, str]]:
        """Key and path of each file. Skips folders whose whole content sorts before `after`."""
        try:
            entries = list(os.scandir(directory))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            key = f"{prefix}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if key.count("/") < MAX_DEPTH and (not after or f"{key}/" >= after[: len(key) + 1]):
                    yield from self._walk(entry.path, key, after)
            elif key > after:
                yield key, entry.path

    def _write(self, final: Path, pieces: Iterable[bytes], durable: bool = True) -> Path:
        """Writes a durable temporary file, and creates the directory of the final name."""
        temporary = self.path / TEMPORARY / uuid.uuid4().hex
        try:
            self._make(final.parent)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise self._cannot("written", error) from None
        return temporary

    def _rename(self, temporary: Path, final: Path) -> None:
        try:
            try:
                temporary.replace(final)
            except FileNotFoundError:  # a collection found the directory empty and removed it
                self._make(final.parent)
                temporary.replace(final)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise self._cannot("written", error) from None

    def _sync(self, final: Path) -> None:
        """Makes the name of a payload file durable."""
        try:
            with contextlib.suppress(FileNotFoundError):  # a collection condemned the upload: the commit will report it
                _sync_directory(final.parent)
        except OSError as error:
            raise self._cannot("written", error) from None

    def _make(self, directory: Path) -> None:
        """Creates a directory, parents first, each durable in its own parent."""
        if directory.is_dir():
            return
        if directory.parent != directory:
            self._make(directory.parent)
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
            _sync_directory(directory.parent)
        if not directory.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "is not a folder", str(directory))

    def _sweep(self) -> None:
        """The folder for temporary files: a killed process leaves files only here."""
        oldest = time.time() - STALE_S
        for path in (self.path / TEMPORARY).iterdir():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _cannot(self, what: str, error: OSError) -> Unavailable:
        return Unavailable(
            f"the {self._purpose.noun} folder {self.path} cannot be {what} ({error.strerror or error}); "
            f"fix its permissions or its disk, or set another one with {self._purpose.setting}"
        )


def _link(temporary: Path, final: Path) -> bool:
    try:
        os.link(temporary, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _rename_noreplace(temporary, final)
    return True


def _rename_noreplace(temporary: Path, final: Path) -> bool:
    """Renames without replacing, for file systems without hard links. Raises OSError if not supported either."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOTSUP, "the file system can neither link nor rename without replacing")
    done = libc.renameat2(AT_FDCWD, os.fsencode(temporary), AT_FDCWD, os.fsencode(final), RENAME_NOREPLACE)
    if done == 0:
        return True
    code = ctypes.get_errno()
    if code == errno.EEXIST:
        return False
    raise OSError(code, os.strerror(code))


def _contents(path: Path, key: str) -> bytes:
    """Opens a regular file within its size limit: opening a pipe or reading a device could block forever.

    Raises Corrupt, OSError.
    """
    _check_regular(path.lstat(), key)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        _check_regular(os.fstat(descriptor), key)  # it may have been replaced since
        data = file.read(limit_of(key) + 1)
    check_size(key, len(data))
    return data


def _check_regular(found: os.stat_result, key: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), key)
    if not stat.S_ISREG(found.st_mode):
        raise Corrupt(
            f"{key} is {KINDS.get(stat.S_IFMT(found.st_mode), 'not a regular file')}, not a regular file: it was not "
            "written by Zelador; remove it, or restore the registry from a backup"
        )
    check_size(key, found.st_size)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
