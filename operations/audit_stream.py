"""A bounded Redis stream that carries acts of the command line to the admin server's audit file.

An act is moved at least once: after a crash between the file and Redis it is written twice, and never lost.
"""

from __future__ import annotations

import logging
from threading import Event
from typing import Any

import msgspec
import redis

from operations.audit_entry import ActRecord
from operations.audit_file import AuditFile
from zelador.buffer.keys import Keys
from zelador.errors import Unavailable
from zelador.retry import backoff
from zelador.side_thread import SideThread
from zelador.undecodable import UNDECODABLE
from zelador.writable import EXPIRES_S

log = logging.getLogger(__name__)

GROUP = "admin"
MAX_ACTS = 2_000  # in the stream; without an admin server the oldest are dropped
MAX_ACT_BYTES = 16_384
READ_CHUNK = 100  # acts moved at once
POLL_S = 1.0


class AuditStream:
    """Sends acts to the admin server through Redis."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key, self._probe = Keys(prefix).audit, Keys(prefix).probe

    def check(self) -> None:
        """Called before a change. Raises Unavailable if Redis refuses writes; a full Redis still answers PING."""
        try:
            self._client.set(self._probe, "1", ex=EXPIRES_S)
        except (redis.RedisError, OSError) as error:
            raise Unavailable(f"nothing can be changed now: Redis does not accept writes ({error})") from None

    def add(self, record: ActRecord) -> None:
        """Sends an act; a long one without its values. Raises Unavailable: the act was done, but not recorded."""
        data = msgspec.json.encode(record)
        if len(data) > MAX_ACT_BYTES:
            data = msgspec.json.encode(
                msgspec.structs.replace(record, target=record.target[:256], before=None, after=None)
            )
        try:
            self._client.xadd(self._key, {"act": data}, maxlen=MAX_ACTS, approximate=False)
        except (redis.RedisError, OSError) as error:
            raise Unavailable(
                f"{record.what} of {record.target[:200]} was done, but could not be recorded in the audit log ({error})"
            ) from None


class AuditMover:
    """Moves acts from the stream to the audit file. Runs on a thread of the admin server."""

    def __init__(self, client: redis.Redis, prefix: str, file: AuditFile) -> None:
        self._client = client
        self._key = Keys(prefix).audit
        self._file = file
        self._thread: SideThread | None = None

    def start(self, stop: Event) -> None:
        trouble = "acts of the command line wait in Redis"
        self._thread = SideThread("audit-mover", stop, self._step, trouble=trouble, retry_s=backoff, delay_s=POLL_S)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(5.0)

    def move(self) -> int:
        """Moves the acts in the stream; returns their number. Raises redis.RedisError, Unavailable (the file)."""
        try:
            self._client.xgroup_create(self._key, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        return sum(self._moved(start) for start in ("0", ">"))

    def _moved(self, start: str) -> int:
        """`start` is "0" for acts that an earlier process read and did not finish, ">" for new ones."""
        moved = 0
        while True:
            answer: Any = self._client.xreadgroup(GROUP, GROUP, {self._key: start}, count=READ_CHUNK)
            entries: list[Any] = answer[0][1] if answer else []
            for entry, fields in entries:
                self._write(fields or {})
                with self._client.pipeline(transaction=True) as pipeline:
                    pipeline.xack(self._key, GROUP, entry)
                    pipeline.xdel(self._key, entry)
                    pipeline.execute()
            moved += len(entries)
            if len(entries) < READ_CHUNK:
                return moved

    def _write(self, fields: dict[bytes, bytes]) -> None:
        try:
            record = msgspec.json.decode(fields.get(b"act", b""), type=ActRecord)
        except UNDECODABLE as error:
            log.error("an act in Redis cannot be read and is not in the audit file: %s", error)
            return
        self._file.add(record)

    def _step(self) -> float:
        self.move()
        return POLL_S
