"""The audit log: a file of all changes, with their authors and the values before and after. It is append-only.

It is a file and not a Redis stream because a selection can be made while Redis is down, and must be recorded.
Changes of models are also in the registry's signed log; changes of keys, runs and quarantine are only here.

A full file is renamed after its time, and a new one is started. Renamed files are removed only by age, so that no
number of changes pushes out older entries. At the limit in bytes, operators cannot change anything until files have
been moved away. Administrators still can: they must be able to revoke the key that filled the log.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from operations.audit_entry import ActRecord, Change, decode, encode, is_before, lines_backwards
from operations.audit_generations import generations, next_name, removable
from zelador.errors import Unavailable
from zelador.messages import iso
from zelador.printable import clean
from zelador.settings import ApiSettings

WARN_SHARE = 0.8  # of the limit in bytes
COUNT_EVERY_S = 5.0  # how often the sizes of the files are read
MIB, GIB = 1 << 20, 1 << 30
KEEP_S = 400 * 86_400.0

log = logging.getLogger("zelador.audit")


class AuditFile:
    def __init__(self, path: Path, file_bytes: int, keep_s: float = KEEP_S, total_bytes: int = GIB) -> None:
        self._path = path
        self._file_bytes = file_bytes
        self._keep_s = keep_s
        self._total_bytes = total_bytes
        self._lock = threading.Lock()
        self._counted = (-COUNT_EVERY_S, 0)  # time of the count, and bytes of all files

    def add(self, record: ActRecord) -> Change:
        """Records a change; it is on the disk when this returns. Long values are cut and replaced by their digest.

        Raises Unavailable, whose message names the change: it has been made by then.
        """
        moment = time.time_ns()
        at = iso(moment // 1_000_000)
        change = Change(f"{moment:020d}", at, **msgspec.structs.asdict(record))
        log.info("%s by %s: %s", record.what, clean(record.who), clean(record.target[:200]))
        line = encode(change)
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            log.error("%s cannot be written (%s); not recorded: %s", self._path, error, line.decode())
            raise Unavailable(
                f"{record.what} of {record.target[:200]} was done, but could not be recorded in the audit file "
                f"({error.strerror}); fix that before you change anything else"
            ) from None
        return change

    def check(self, is_admin: bool = True) -> None:
        """Called before a change. Raises Unavailable if it could not be recorded.

        The limit in bytes does not hold for an admin. The guard of the API calls this with the role of the key, and
        the act calls it once more without one: only the guard enforces the limit.
        """
        try:
            with self._lock:
                self._append(b"")
        except OSError as error:
            raise Unavailable(
                f"nothing can be changed now: the audit file {self._path.name} cannot be written ({error.strerror})"
            ) from None
        if not is_admin and self.total() >= self._total_bytes:
            raise Unavailable(
                f"the audit files have reached their {self._total_bytes // MIB:,} MiB, so only keys of the role admin "
                f"can change anything; move {self._path.stem}-*.jsonl away, or raise ZELADOR_API__AUDIT_TOTAL_BYTES"
            )

    def total(self) -> int:
        """Bytes of all audit files, at most a few seconds old."""
        now = time.monotonic()
        if now - self._counted[0] >= COUNT_EVERY_S:
            self._counted = (now, sum(size for _, size in generations(self._path)))
        return self._counted[1]

    def remark(self) -> str | None:
        """A warning if the log is nearly full; else None."""
        total = self.total()
        if total < WARN_SHARE * self._total_bytes:
            return None
        return f"the audit files take {total // MIB:,} of at most {self._total_bytes // MIB:,} MiB: move old ones away"

    def newest(self, before: str | None = None) -> Iterator[Change]:
        """Entries with ids below `before`, newest first. Lines that cannot be read are skipped."""
        for path, _ in generations(self._path, before):
            for line in lines_backwards(path):
                if before is not None and not is_before(line, before):
                    continue
                change = decode(line)
                if change is not None and (before is None or change.id < before):
                    yield change

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock_path = self._path.with_name(f".{self._path.name}.lock")
        lock = os.open(lock_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the command line also writes to this file
            self._rotate(len(line))
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if line:
                    _write_line(descriptor, line)
            finally:
                os.close(descriptor)
        finally:
            os.close(lock)

    def _rotate(self, more: int) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size == 0 or size + more <= self._file_bytes:
            return
        name = next_name(self._path)
        self._path.replace(name)
        self._counted = (-COUNT_EVERY_S, 0)
        log.warning("the audit file is full (%d bytes) and was renamed to %s; a new one is started", size, name.name)
        # One at a time: a clock that is wrong for a moment must not delete the whole log.
        for path in removable(self._path, time.time() - self._keep_s)[:1]:
            path.unlink(missing_ok=True)
            log.warning("the audit file %s is older than %d days and is removed", path.name, self._keep_s // 86_400)
        if remark := self.remark():
            log.warning("%s", remark)


def _write_line(descriptor: int, line: bytes) -> None:
    """Appends a line, also after one that a crash or a full disk has cut off. Raises OSError."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        line = b"\n" + line
    if os.write(descriptor, line) != len(line):
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def open_audit_file(settings: ApiSettings) -> AuditFile:
    path = where(settings.keys_file, settings.audit_file)
    return AuditFile(path, settings.audit_bytes, settings.audit_keep_s, settings.audit_total_bytes)


def where(keys_file: Path, audit_file: Path | None) -> Path:
    return audit_file or keys_file.with_name("audit.jsonl")
