"""The audit trail: every change, who made it, what was before and after; a file that is only added to.

A file and not a Redis stream: a selection is made while Redis is away, and who did it must be known all the same.
Changes of models stand in the registry's signed log as well; keys, runs and quarantine only here.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from zelador.errors import Unavailable
from zelador.messages import iso

BLOCK = 65_536
LONGEST = 262_144  # bytes of a line; what is before and after is left out of one that would be longer

log = logging.getLogger("zelador.audit")


class Change(msgspec.Struct, frozen=True):
    """`id` grows with time. `before` and `after` are what changed, None where there was or is nothing."""

    id: str
    at: str  # ISO 8601, UTC
    who: str
    what: str
    target: str
    before: Any = None
    after: Any = None
    address: str | None = None


class Trail:
    def __init__(self, path: Path, most_bytes: int) -> None:
        """`path.1` is the file before this one, when this one grew beyond `most_bytes`."""
        self._path = path
        self._older = path.with_name(f"{path.name}.1")
        self._most = most_bytes
        self._lock = threading.Lock()

    def add(
        self, who: str, what: str, target: str, before: Any = None, after: Any = None, address: str | None = None
    ) -> Change:
        """Keeps the change; it is on the disk when this returns.

        Raises Unavailable, which says what was done: the change itself is made by then.
        """
        moment = time.time_ns()
        change = Change(f"{moment:020d}", iso(moment // 1_000_000), who, what, target, before, after, address)
        log.info("%s by %s: %s", what, who, target)
        line = msgspec.json.encode(change) + b"\n"
        if len(line) > LONGEST:
            line = msgspec.json.encode(msgspec.structs.replace(change, before=None, after=None)) + b"\n"
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            log.error("%s cannot be written (%s); not kept: %s", self._path, error, line.decode())
            raise Unavailable(
                f"{what} of {target} was done, and could not be noted in the audit file ({error.strerror}); "
                "mend that before you change more"
            ) from None
        return change

    def check(self) -> None:
        """Before a change: raises Unavailable when the file cannot be written, so that nothing goes unnoted."""
        try:
            with self._lock:
                self._append(b"")
        except OSError as error:
            raise Unavailable(
                f"nothing can be changed now: the audit file {self._path.name} cannot be written ({error.strerror})"
            ) from None

    def newest(self, before: str | None = None) -> Iterator[Change]:
        """The newest first, below the id `before`. A line that is damaged is passed over."""
        for path in (self._path, self._older):
            for line in _backwards(path):
                try:
                    change = msgspec.json.decode(line, type=Change)
                except msgspec.DecodeError:
                    continue
                if before is None or change.id < before:
                    yield change

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name(f".{self._path.name}.lock").open("a") as lock:  # the command line writes here too
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._path.exists() and self._path.stat().st_size + len(line) > self._most:
                self._path.replace(self._older)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if line:
                    if os.write(descriptor, line) != len(line):
                        raise OSError(28, "no space is left")
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)


def where(keys_file: Path, audit_file: Path | None) -> Path:
    return audit_file or keys_file.with_name("audit.jsonl")


def _backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file, the last first; a block at a time."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        at, rest = file.seek(0, os.SEEK_END), b""
        while at:
            size = min(BLOCK, at)
            at -= size
            file.seek(at)
            first, *lines = (file.read(size) + rest).split(b"\n")
            yield from (line for line in reversed(lines) if line)
            rest = first
        if rest:
            yield rest
