"""Whether the registry is still the one that the services know. Restored from a copy, cut short, or another one in its
place, its chain is whole all the same: each process remembers its own last entry, and Redis that of all of them.

Nothing stops by it. A worker keeps the model that it has; a process that starts goes on with what is there; all of
them say so until what was there is put back, or an operator says that this is meant (`zelador models accept`).
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from threading import Event

import redis

from registry.commit import now
from registry.errors import Replaced
from registry.follow import GO_ON
from registry.registry import Registry
from registry.state import State
from zelador.errors import Corrupt, ZeladorError
from zelador.last_seen import LastSeen, Record, Seen

log = logging.getLogger(__name__)

TURN_S = 1.0  # between two looks at our own memory, for what was read or changed meanwhile
AWAY = "the registry does not answer"


@dataclass(frozen=True, slots=True)
class Look:
    """`state` is what there is to work on, None when there is nothing; `trouble` names no path and no host."""

    state: State | None
    trouble: str | None


def difference(seen: Seen, registry: str, found: str | None) -> str | None:
    """Why the log is not the one that `seen` is of; None when it is. Pure.

    `registry` is the id of the registry that is there, `found` the ETag of its entry number `seen.seq`.
    """
    if found == seen.etag:
        return None
    known = f"entry {seen.seq} ({seen.etag}), which {seen.by} saw at {seen.at}"
    if registry != seen.registry:
        return f"the registry is another one: it does not hold {known}, and its id is not the same; {GO_ON}"
    if found is None:
        return f"the registry lost entries, or an older copy was put back: its log ends before {known}; {GO_ON}"
    return f"an older copy of the registry was put back and written to: its log does not hold {known}; {GO_ON}"


class Watch:
    """Of one process. Redis may be away: then it knows what it knew. Safe for threads."""

    def __init__(self, registry: Registry, client: redis.Redis, prefix: str, by: str, every_s: float) -> None:
        """`by` is the process's name for people."""
        self._registry = registry
        self._last_seen = LastSeen(client, prefix)
        self._by = by
        self._every_s = every_s
        self._lock = threading.Lock()
        self._seen: Seen | None = None
        self._accepted: str | None = None  # what stood there when all was well; None: not known
        self._looked_at: str | None = None  # our head at the last look
        self._said: str | None = None
        self._thread: threading.Thread | None = None

    @property
    def trouble(self) -> str | None:
        """As of the last look."""
        return self._said

    def start(self, stop: Event) -> None:
        """Looks now, then every `every_s` seconds and soon after each change, in a thread of its own."""
        self._thread = threading.Thread(target=self._watch, args=(stop,), name="registry-watch", daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def look(self) -> Look:
        """Compares, and notes what is new. Never raises what registry or Redis may do."""
        with self._lock:
            try:
                found = self._look()
                detail = found.trouble
            except Corrupt as error:
                found, detail = Look(None, str(error)), str(error)
            except (ZeladorError, OSError) as error:
                found, detail = Look(None, AWAY), str(error)
            self._looked_at = self._registry.state.head if found.trouble is not None else self._looked_at
            if found.trouble != self._said:
                if found.trouble is not None:
                    log.error("%s", detail)
                else:
                    log.info("the registry is the one last seen, whole up to entry %d", self._registry.state.seq)
            self._said = found.trouble
            return found

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _look(self) -> Look:
        record = self._read()  # before the log: what is accepted or noted meanwhile is for the next look
        seen = self._seen
        state = self._synced(seen)
        if seen is not None:
            found = state.etag if seen.seq == state.seq else self._registry.etag_at(seen.seq)
            if (why := difference(seen, state.registry, found)) is not None:
                if record is not None:
                    self._accepted = seen.accepted
                return Look(state, why)
        if record is None or self._noted(record, state):
            self._looked_at = state.head
        return Look(state, None)

    def _read(self) -> Record | None:
        """None while Redis is away."""
        try:
            record = self._last_seen.read()
        except (redis.RedisError, OSError) as error:
            log.debug("what was last seen of the registry is not known: %s", error)
            return None
        self._seen = record.seen
        return record

    def _synced(self, seen: Seen | None) -> State:
        """Folds anew only what an operator accepted since all was well here: else a loss would be hidden."""
        try:
            return self._registry.sync()
        except Replaced:
            known = self._accepted
            if seen is None or known is None or seen.accepted in ("", known):
                raise
            if self._registry.etag_at(seen.seq) != seen.etag:
                raise
        state = self._registry.begin_anew()
        log.warning("going on with entry %d of the registry, accepted %s", state.seq, seen.accepted)
        return state

    def _noted(self, record: Record, state: State) -> bool:
        """True once the record is as new as what we know, or Redis cannot be written now."""
        seen = record.seen
        accepted = seen.accepted if seen is not None else ""
        self._accepted = accepted
        if seen is not None and seen.seq >= state.seq:
            return True
        mine = Seen(state.registry, state.seq, state.etag, now(), self._by, accepted)
        try:
            done = self._last_seen.advance(record, mine)
        except (redis.RedisError, OSError) as error:
            log.debug("entry %d of the registry was not noted: %s", state.seq, error)
            return True
        if done:
            self._seen = mine
        return done

    def _watch(self, stop: Event) -> None:
        due = 0.0
        while not stop.is_set():
            if time.monotonic() >= due or self._registry.state.head != self._looked_at:
                try:
                    self.look()
                except Exception:
                    log.exception("looking whether the registry was replaced failed")
                due = time.monotonic() + self._every_s
            stop.wait(min(TURN_S, self._every_s))
