"""The audit trail: every change, who made it, what was before and after; a file that is only added to.

A file and not a Redis stream: a selection is made while Redis is away, and who did it must be known all the same.
Changes of models stand in the registry's signed log as well; keys, runs and quarantine only here.

A full file is renamed by its time and a new one begun. Renamed files are removed by age and by nothing else: no number
of changes pushes out what was noted before. At the bound in bytes operators change nothing until somebody has moved
files away; administrators still can, or they could not revoke the key that filled it.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operations.audit_entry import Change, decode, encode, is_before, lines_backwards
from operations.audit_files import generations, next_name, removable
from zelador.errors import Unavailable
from zelador.messages import iso
from zelador.settings import ApiSettings

WARN_SHARE = 0.8  # of the bound in bytes
COUNT_EVERY_S = 5.0  # how often the files' sizes are looked at
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
        self._counted = (-COUNT_EVERY_S, 0)  # when, and the bytes of all files

    def add(
        self, who: str, what: str, target: str, before: Any = None, after: Any = None, address: str | None = None
    ) -> Change:
        """Keeps the change; it is on the disk when this returns. What is long is cut, and its digest kept.

        Raises Unavailable, which says what was done: the change itself is made by then.
        """
        moment = time.time_ns()
        change = Change(f"{moment:020d}", iso(moment // 1_000_000), who, what, target, before, after, address)
        log.info("%s by %s: %s", what, who, target[:200])
        line = encode(change)
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            log.error("%s cannot be written (%s); not kept: %s", self._path, error, line.decode())
            raise Unavailable(
                f"{what} of {target[:200]} was done, and could not be noted in the audit file ({error.strerror}); "
                "fix that before you change more"
            ) from None
        return change

    def check(self, is_admin: bool = True) -> None:
        """Before a change: raises Unavailable when it could not be noted."""
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
                f"may change something; move {self._path.stem}-*.jsonl away, or raise ZELADOR_API__AUDIT_TOTAL_BYTES"
            )

    def total(self) -> int:
        """Bytes of all audit files, as of a few seconds ago."""
        now = time.monotonic()
        if now - self._counted[0] >= COUNT_EVERY_S:
            self._counted = (now, sum(size for _, size in generations(self._path)))
        return self._counted[1]

    def remark(self) -> str | None:
        """What to say of its size; None while there is nothing to say."""
        total = self.total()
        if total < WARN_SHARE * self._total_bytes:
            return None
        return f"the audit files have {total // MIB:,} of at most {self._total_bytes // MIB:,} MiB: move old ones away"

    def newest(self, before: str | None = None) -> Iterator[Change]:
        """The newest first, below the id `before`. A line that cannot be read is passed over."""
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
            fcntl.flock(lock, fcntl.LOCK_EX)  # the command line writes here too
            self._rotate(len(line))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if line:
                    if os.write(descriptor, line) != len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(descriptor)
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
        log.warning("the audit file is full (%d bytes) and is kept as %s; a new one begins", size, name.name)
        # One at a time: a clock that is wrong for a moment does not take the whole trail.
        for path in removable(self._path, time.time() - self._keep_s)[:1]:
            path.unlink(missing_ok=True)
            log.warning("the audit file %s is older than %d days and is removed", path.name, self._keep_s // 86_400)
        if said := self.remark():
            log.warning("%s", said)


def open_audit_file(settings: ApiSettings) -> AuditFile:
    path = where(settings.keys_file, settings.audit_file)
    return AuditFile(path, settings.audit_bytes, settings.audit_keep_s, settings.audit_total_bytes)


def where(keys_file: Path, audit_file: Path | None) -> Path:
    return audit_file or keys_file.with_name("audit.jsonl")
