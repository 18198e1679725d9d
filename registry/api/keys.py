"""API keys: 256 random bits each, shown once; only the SHA-256 is kept, in a file of the owner's.

A slow hash is for passwords, which people choose; nobody can guess a random key.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from zelador.errors import Corrupt, Unavailable

PREFIX = "zlk_"  # recognisable, for people and for secret scanners


class Key(msgspec.Struct, frozen=True):
    """What is kept of a key; `id` names it in logs."""

    id: str
    digest: str
    role: str
    created_at: str


class _File(msgspec.Struct, frozen=True):
    keys: tuple[Key, ...] = ()


def first_key(path: Path) -> str | None:
    """The admin key of a home that has none yet; None if the file is there. Raises Unavailable, Corrupt."""
    with _locked(path):
        return None if path.exists() else _add(path)


def new_key(path: Path) -> str:
    """Another admin key. Raises Unavailable when the file cannot be written, Corrupt when it is damaged."""
    with _locked(path):
        return _add(path)


class KeyFile:
    """The keys that are known; reads the file again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def known(self, key: str) -> Key | None:
        """The record of `key`, compared in constant time; None for a key that we did not give. Raises Corrupt."""
        self._refresh()
        digest = _digest(key)
        found = None
        for record in self._keys:
            if hmac.compare_digest(record.digest, digest):
                found = record
        return found

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, ()
            return
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._keys = _read(self._path).keys
            self._seen = seen


def _add(path: Path) -> str:
    key = PREFIX + secrets.token_urlsafe(32)
    record = Key(secrets.token_hex(4), _digest(key), "admin", datetime.now(timezone.utc).isoformat(timespec="seconds"))
    _write(path, _File((*_read(path).keys, record)))
    return key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _read(path: Path) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return _File()
    except msgspec.DecodeError as error:
        raise Corrupt(f"{path} is damaged ({error}); remove it and make a new key: zelador keys new") from None


def _write(path: Path, content: _File) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(content)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror}); set ZELADOR_API__KEYS_FILE") from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two who make a key at once must both get one that is kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f".{path.name}.lock").open("a")
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror}); set ZELADOR_API__KEYS_FILE") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
