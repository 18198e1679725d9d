"""Files that only their owner can read, replaced atomically and changed by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from zelador.errors import Unavailable


def write_owned(path: Path, data: bytes, setting: str) -> None:
    """Replaces the file atomically, readable only by its owner. Raises Unavailable, which names `setting`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror}); set {setting}") from None


@contextlib.contextmanager
def locked(path: Path, setting: str) -> Iterator[None]:
    """A lock, so that two changes made at the same time are both stored. Raises Unavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_path = path.with_name(f".{path.name}.lock")
        lock = os.fdopen(os.open(lock_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise Unavailable(f"{path} cannot be written ({error.strerror}); set {setting}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
