"""The commit: how a change gets into the log, once, whatever is lost on the way, with any number of writers.

No lock: the next slot of the log is created by whoever is first. "Already exists" is not an answer, only
a reason to read the slot; an error is not an answer either, and the same bytes are tried again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from threading import RLock
from typing import Any

from registry import log
from registry.errors import Moved, Unknown
from registry.state import State, fold
from registry.store import Store, Uncertain
from zelador.errors import Conflict, Corrupt, NotFound
from zelador.retry import backoff

TRIES = 500
FIRST_S, CAP_S = 0.002, 0.25

Decide = Callable[[State], Sequence[dict[str, Any]]]


class Log:
    """The folded log of one store. Safe for the threads of a process; between processes the store decides."""

    def __init__(self, store: Store, wait: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._wait = wait
        self._lock = RLock()
        self._state = State()

    @property
    def state(self) -> State:
        """As last folded."""
        return self._state

    def changed(self) -> bool:
        """One read of the log's next slot; folds what is there. Raises Corrupt, Unavailable."""
        with self._lock:
            moved = False
            while self._fold_next():
                moved = True
            return moved

    def sync(self) -> State:
        """Our own last entry must still be there, else the folder was restored or swapped under us."""
        with self._lock:
            if self._state.seq:
                data = self._store.read(log.key(self._state.seq))
                if data is None or log.digest(data) != self._state.head:
                    raise Corrupt(
                        f"{log.key(self._state.seq)} is not the entry that was read before: the registry was restored "
                        "or replaced while in use; restart the services to go on with what is there now"
                    )
            self.changed()
            return self._state

    def commit(self, decide: Decide, *, by: str, why: str = "", if_match: str | None = None) -> State:
        """Appends the operations that `decide` gives for the present state; gives the state just after.

        `decide` is called again after each change by another writer; it and the fold raise Conflict or
        NotFound for what is not allowed. Raises Moved when `if_match` is not the present ETag, Unknown
        (with the commit id) when after 500 tries it cannot be told whether the change was made.
        """
        identity = uuid.uuid4().hex
        with self._lock:
            for attempt in range(1, TRIES + 1):
                state = self.sync()
                if identity in state.commits:
                    return state
                entry, after = self._prepare(state, decide, identity, by, why, if_match)
                if self._put(entry, log.encode(entry), after):
                    return self._state
                self._wait(backoff(attempt, first=FIRST_S, cap=CAP_S))
            raise Unknown(
                f"whether the change was made is not known after {TRIES} tries; "
                f"look for commit {identity} in the registry's log before you try again"
            )

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _prepare(
        self, state: State, decide: Decide, identity: str, by: str, why: str, if_match: str | None
    ) -> tuple[log.Entry, State]:
        while True:
            try:
                if if_match is not None and if_match.strip('"') not in (state.etag, "*"):
                    raise Moved("the registry has changed since you read it; read it again and decide anew")
                entry = log.Entry(
                    seq=state.seq + 1,
                    previous=state.head,
                    commit=identity,
                    at=datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    by=by,
                    why=why,
                    ops=tuple(decide(state)),
                )
                return entry, fold(state, entry, log.digest(log.encode(entry)))
            except (Conflict, NotFound):
                newer = self.sync()
                if newer.head == state.head:
                    raise
                state = newer

    def _put(self, entry: log.Entry, data: bytes, after: State) -> bool:
        """True once the slot holds our entry; False when it holds another's."""
        slot = log.key(entry.seq)
        for attempt in range(1, TRIES + 1):
            try:
                if self._store.create(slot, data):
                    self._state = after
                    return True
            except Uncertain:
                pass  # not known: the slot itself tells
            found = self._store.read(slot)
            if found == data:
                self._state = after
                return True
            if found is not None:
                return False
            self._wait(backoff(attempt, first=FIRST_S, cap=CAP_S))
        raise Unknown(f"{slot} can be neither written nor read; look for commit {entry.commit} before you try again")

    def _fold_next(self) -> bool:
        seq = self._state.seq + 1
        data = self._store.read(log.key(seq))
        if data is None:
            return False
        entry = log.decode(data, seq, self._state.head)
        try:
            self._state = fold(self._state, entry, log.digest(data))
        except (Conflict, NotFound, KeyError, TypeError) as error:
            raise Corrupt(f"{log.key(seq)} holds what cannot have been committed: {error}") from None
        return True
