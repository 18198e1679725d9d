"""Detects that the registry was restored, truncated or replaced.

The chain of such a registry is still valid. So each process remembers the last entry it read, and Redis holds the last
entry that any process saw.

Nothing stops. A worker keeps its model; a starting process uses the registry as it is. Both report the problem until
the previous registry is restored, or an operator confirms the change with `zelador models accept`.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from threading import Event

import redis

from registry.errors import LogReplaced
from registry.log.follow import GO_ON
from registry.log.state import State
from registry.registry import Registry
from registry.restored.last_seen import LastSeen, Record, Seen
from zelador.clock import now_iso
from zelador.errors import Corrupt, ZeladorError

log = logging.getLogger(__name__)

POLL_S = 1.0  # how often to check whether this process has read or written new entries
UNREACHABLE = "the registry does not answer"


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a check. `state` is None when no registry can be used; `trouble` names no path and no host."""

    state: State | None
    trouble: str | None


def difference(seen: Seen, registry: str, found: str | None) -> str | None:
    """The reason why the log does not contain the entry `seen`; None if it does. Pure.

    `registry` is the id of the current registry, `found` the ETag of its entry number `seen.seq`.
    """
    if found == seen.etag:
        return None
    known = f"entry {seen.seq} ({seen.etag}), which {seen.by} saw at {seen.at}"
    if registry != seen.registry:
        return f"the registry is another one: its id is different, and it does not contain {known}; {GO_ON}"
    if found is None:
        return f"the registry lost entries, or an older copy was restored: its log ends before {known}; {GO_ON}"
    return f"an older copy of the registry was restored and written to: its log does not contain {known}; {GO_ON}"


class Watch:
    """The check of one process. While Redis is unreachable, it uses what it last read. Thread-safe."""

    def __init__(self, registry: Registry, client: redis.Redis, prefix: str, by: str, every_s: float) -> None:
        """`by` is the readable name of the process."""
        self._registry = registry
        self._last_seen = LastSeen(client, prefix)
        self._by = by
        self._every_s = every_s
        self._lock = threading.Lock()
        self._seen: Seen | None = None
        self._accepted: str | None = None  # `Seen.accepted` when the registry was last intact; None: unknown
        self._checked_head: str | None = None  # digest of our newest entry at the last check
        self._trouble: str | None = None
        self._thread: threading.Thread | None = None

    @property
    def trouble(self) -> str | None:
        """The problem that the last check found; None if there was none."""
        return self._trouble

    def start(self, stop: Event) -> None:
        """Checks now, then every `every_s` seconds and soon after each change, in a separate thread."""
        self._thread = threading.Thread(target=self._watch, args=(stop,), name="registry-watch", daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def look(self) -> Look:
        """Checks the registry and records its newest entry in Redis. Never raises an error of the registry or Redis."""
        with self._lock:
            try:
                found = self._look()
                detail = found.trouble
            except Corrupt as error:
                found, detail = Look(None, str(error)), str(error)
            except (ZeladorError, OSError) as error:
                found, detail = Look(None, UNREACHABLE), str(error)
            self._checked_head = self._registry.state.head if found.trouble is not None else self._checked_head
            if found.trouble != self._trouble:
                if found.trouble is not None:
                    log.error("%s", detail)
                else:
                    log.info("the registry is the one last seen, intact up to entry %d", self._registry.state.seq)
            self._trouble = found.trouble
            return found

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _look(self) -> Look:
        record = self._read()  # before the log: changes made meanwhile are left to the next check
        seen = self._seen
        state = self._synced(seen)
        if seen is not None:
            found = state.etag if seen.seq == state.seq else self._registry.etag_at(seen.seq)
            if (why := difference(seen, state.registry, found)) is not None:
                if record is not None:
                    self._accepted = seen.accepted
                return Look(state, why)
        if record is None or self._noted(record, state):
            self._checked_head = state.head
        return Look(state, None)

    def _read(self) -> Record | None:
        """The record in Redis; None while Redis is unreachable."""
        try:
            record = self._last_seen.read()
        except (redis.RedisError, OSError) as error:
            log.debug("the last seen entry of the registry cannot be read: %s", error)
            return None
        self._seen = record.seen
        return record

    def _synced(self, seen: Seen | None) -> State:
        """Reloads a replaced log only if an operator accepted it after the last intact check: a loss must not hide."""
        try:
            return self._registry.sync()
        except LogReplaced:
            known = self._accepted
            if seen is None or known is None or seen.accepted in ("", known):
                raise
            if self._registry.etag_at(seen.seq) != seen.etag:
                raise
        state = self._registry.reload()
        log.warning("continuing with entry %d of the registry, accepted %s", state.seq, seen.accepted)
        return state

    def _noted(self, record: Record, state: State) -> bool:
        """True when the record is as new as our state, or Redis cannot be written now."""
        seen = record.seen
        accepted = seen.accepted if seen is not None else ""
        self._accepted = accepted
        if seen is not None and seen.seq >= state.seq:
            return True
        newest = Seen(state.registry, state.seq, state.etag, now_iso(), self._by, accepted)
        try:
            is_written = self._last_seen.advance(record, newest)
        except (redis.RedisError, OSError) as error:
            log.debug("entry %d of the registry was not recorded: %s", state.seq, error)
            return True
        if is_written:
            self._seen = newest
        return is_written

    def _watch(self, stop: Event) -> None:
        due = 0.0
        while not stop.is_set():
            if time.monotonic() >= due or self._registry.state.head != self._checked_head:
                try:
                    self.look()
                except Exception:
                    log.exception("the check whether the registry was replaced failed")
                due = time.monotonic() + self._every_s
            stop.wait(min(POLL_S, self._every_s))
