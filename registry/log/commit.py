"""Appends a change to the log exactly once, with any number of concurrent writers.

There is no lock: the first writer creates the next slot of the log. After "already exists" the writer reads the slot,
because the entry in it may be its own. After an error it tries the same bytes again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from registry.errors import ChangedMeanwhile
from registry.log import entry as log_entry
from registry.log.fold import fold
from registry.log.follow import Follower
from registry.log.slots import CAP_S, FIRST_S, TRIES, claim
from registry.log.state import State
from zelador.clock import now_iso
from zelador.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from zelador.retry import backoff

PATIENCE_S = 120.0  # time limit of one commit, all tries together

Decide = Callable[[State], Sequence[dict[str, Any]]]


class Log(Follower):
    """The log of one store, for reading and writing."""

    def commit(self, decide: Decide, *, by: str, why: str = "", if_match: str | None = None) -> State:
        """Appends the operations that `decide` returns for the current state; returns the state after them.

        `decide` is called again after each change by another writer. When it returns no operations, nothing is
        written. `decide` and the fold raise Conflict, NotFound or InvalidInput for a change that is not allowed.
        Raises ChangedMeanwhile when `if_match` is not the current ETag, Unavailable when the change was not made, and
        OutcomeUnknown (with the commit id) when the outcome is unknown.
        """
        identity = uuid.uuid4().hex
        deadline = time.monotonic() + PATIENCE_S
        with self._lock:
            for attempt in range(1, TRIES + 1):
                if attempt == 1:
                    self.sync()
                else:  # decoding the other writer's entry proves that our head is still in the log
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
            raise Unavailable(f"the change was not made: other writers were faster {attempt} times; try again later")

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _prepare(
        self, state: State, decide: Decide, identity: str, by: str, why: str, if_match: str | None
    ) -> tuple[log_entry.Entry, bytes, State] | None:
        while True:
            try:
                if if_match is not None and if_match.strip('"') not in (state.etag, "*"):
                    raise ChangedMeanwhile("the registry changed after you read it; read it again, then retry")
                ops = tuple(decide(state))
                if not ops:
                    return None
                entry = log_entry.Entry(state.seq + 1, state.head, identity, now_iso(), by, why, ops)
                data = self._keyring.seal("entry", log_entry.encode(entry))
                # Fold the decoded entry, as other readers will: JSON turns tuples into lists and keys into strings.
                return entry, data, fold(state, log_entry.decode(data, entry.seq, state.head), log_entry.digest(data))
            except (Conflict, NotFound, InvalidInput):
                newer = self.sync()
                if newer.head == state.head:
                    raise
                state = newer
            except (Corrupt, TypeError) as error:
                raise InvalidInput(f"the change cannot be stored in the log: {error}") from None

    def _put(self, entry: log_entry.Entry, data: bytes, after: State, deadline: float) -> bool:
        """True if the slot holds our entry, False if another writer's. Raises OutcomeUnknown, Unavailable."""
        other = claim(self._store, entry, data, deadline, self._wait)
        if other is None:
            self._state = after
            return True
        self._read_ahead = (entry.seq, other)
        return False
