"""The commit: how a change gets into the log, once, whatever is lost on the way, with any number of writers.

No lock: the next slot of the log is created by whoever is first. "Already exists" is not an answer, only
a reason to read the slot; an error is not an answer either, and the same bytes are tried again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from registry import log
from registry.errors import Moved, Unknown
from registry.fold import fold
from registry.follow import Follower
from registry.state import State
from registry.store import Uncertain
from zelador.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from zelador.retry import backoff

TRIES = 500
PATIENCE_S = 120.0  # of one change, whatever its tries cost
FIRST_S, CAP_S = 0.002, 0.25

Decide = Callable[[State], Sequence[dict[str, Any]]]


class Log(Follower):
    """The log of one store, to be read and added to."""

    def commit(self, decide: Decide, *, by: str, why: str = "", if_match: str | None = None) -> State:
        """Appends the operations that `decide` gives for the present state; gives the state just after.

        `decide` is called again after each change by another writer; when it gives none, nothing is written. It and
        the fold raise Conflict, NotFound or InvalidInput for what is not allowed. Raises Moved when `if_match` is not
        the present ETag, Unavailable when it was not made, Unknown (with the commit id) when that cannot be told.
        """
        identity = uuid.uuid4().hex
        deadline = time.monotonic() + PATIENCE_S
        with self._lock:
            for attempt in range(1, TRIES + 1):
                if attempt == 1:
                    self.sync()
                else:  # what was first has our head as its `previous`, or it is Corrupt: no need to read our own again
                    self.changed()
                state = self._state
                if identity in state.commits:
                    return state
                prepared = self._prepare(state, decide, identity, by, why, if_match)
                if prepared is None:
                    return self._state
                if self._put(*prepared, deadline):
                    return self._state
                if time.monotonic() > deadline:
                    break
                self._wait(backoff(attempt, first=FIRST_S, cap=CAP_S))
            raise Unavailable(
                f"other writers were first {attempt} times, so the change was not made; try again when they are done"
            )

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _prepare(
        self, state: State, decide: Decide, identity: str, by: str, why: str, if_match: str | None
    ) -> tuple[log.Entry, bytes, State] | None:
        while True:
            try:
                if if_match is not None and if_match.strip('"') not in (state.etag, "*"):
                    raise Moved("the registry has changed since you read it; read it again and decide anew")
                ops = tuple(decide(state))
                if not ops:
                    return None
                entry = log.Entry(state.seq + 1, state.head, identity, now(), by, why, ops)
                data = self._keyring.seal("entry", log.encode(entry))
                # As others will read it: what JSON does not keep (a tuple, a key that is a number) differs for nobody.
                return entry, data, fold(state, log.decode(data, entry.seq, state.head), log.digest(data))
            except (Conflict, NotFound, InvalidInput):
                newer = self.sync()
                if newer.head == state.head:
                    raise
                state = newer
            except (Corrupt, TypeError) as error:
                raise InvalidInput(f"what was given cannot be kept in the log: {error}") from None

    def _put(self, entry: log.Entry, data: bytes, after: State, deadline: float) -> bool:
        """True once the slot holds our entry; False when it holds another's. Raises Unknown, Unavailable."""
        slot = log.key(entry.seq)
        unknown = f"whether the change was made is not known; look for commit {entry.commit} in {slot} or behind it"
        for attempt in range(1, TRIES + 1):
            try:
                if self._store.create(slot, data):
                    self._state = after
                    return True
            except Uncertain:
                pass  # not known: the slot itself tells
            try:
                found = self._store.read(slot)
            except Unavailable as error:
                raise Unknown(f"{unknown} ({error})") from None
            if found == data:
                self._state = after
                return True
            if found is not None:
                self._read_ahead = (entry.seq, found)
                return False
            if time.monotonic() > deadline:
                break
            self._wait(backoff(attempt, first=FIRST_S, cap=CAP_S))
        raise Unknown(f"{unknown} before you try again: it could be neither written nor read")


def now() -> str:
    """ISO 8601, UTC, milliseconds: sorts as it passes."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
