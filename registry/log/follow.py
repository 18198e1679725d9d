"""Reads the log, from a checkpoint or from the first entry to the newest, and checks each link of the chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from threading import RLock

from registry.errors import LogReplaced
from registry.log import checkpoint
from registry.log import entry as log_entry
from registry.log.fold import fold_all
from registry.log.slots import tail
from registry.log.state import State
from registry.signing import Keyring
from registry.store import Store
from zelador.errors import Conflict, Corrupt, InvalidInput, NotFound

GO_ON = "restore the previous registry, or, if this change is intended, confirm it: zelador models accept --why TEXT"


class Follower:
    """The folded log of one store. Thread-safe; between processes, the store decides who is first.

    With a signing key, every entry must be signed by a known key or covered by a later, signed `trust` entry.
    """

    def __init__(
        self,
        store: Store,
        keyring: Keyring | None = None,
        *,
        wait: Callable[[float], None] = time.sleep,
        from_zero: bool = False,
        lenient: bool = False,
    ) -> None:
        """`from_zero`: ignore checkpoints. `lenient`: accept unsigned entries, so that `trust` can vouch for them."""
        self._store = store
        self._keyring = keyring or Keyring()
        self._wait = wait
        self._lock = RLock()
        self._state = State()
        self._from_zero = from_zero
        self._lenient = lenient
        self._unproven = 0  # number of the newest entry that no known key signed
        self._checkpoint = 0  # number of the newest known checkpoint
        self._read_ahead: tuple[int, bytes] | None = None  # an entry that a commit has already read

    @property
    def state(self) -> State:
        """The state as of the last read; no I/O."""
        return self._state

    def changed(self) -> bool:
        """Reads and folds new entries; False if there are none, which takes one read. Raises Corrupt, Unavailable."""
        with self._lock:
            if self._state.seq == 0 and not self._from_zero and self._begin():
                self._advance()
                return True
            return self._advance()

    def sync(self) -> State:
        """The current state. Raises LogReplaced when the last entry that was read is no longer in the log."""
        with self._lock:
            if self._state.seq:
                data = self._store.read(log_entry.key(self._state.seq))
                if data is None or log_entry.digest(data) != self._state.head:
                    raise LogReplaced(
                        f"{log_entry.key(self._state.seq)} is not the entry that was read before: the registry was "
                        f"restored or replaced while in use; {GO_ON}"
                    )
            self.changed()
            return self._state

    def digest_at(self, seq: int) -> str | None:
        """The digest of entry `seq` in the store, unchecked; None if there is no such entry. One read."""
        data = self._store.read(log_entry.key(seq))
        return None if data is None else log_entry.digest(data)

    def reload(self) -> State:
        """Discards the state and reads the log from the start. Keeps the state when the log cannot be read."""
        fresh = Follower(self._store, self._keyring, from_zero=self._from_zero, lenient=self._lenient)
        if fresh.sync().seq == 0:
            raise LogReplaced(f"the registry is gone; {GO_ON}")
        with self._lock:
            self._state, self._unproven, self._checkpoint = fresh._state, fresh._unproven, fresh._checkpoint
            self._read_ahead = None
            return self._state

    def write_checkpoint_if_due(self) -> None:
        """Writes a checkpoint if the tail has become long. May raise Unavailable, which loses no data."""
        with self._lock:
            if not checkpoint.due(self._state, self._checkpoint):
                return
            self._checkpoint = max(checkpoint.numbers(self._store), default=0)  # another process may have written one
            if checkpoint.due(self._state, self._checkpoint):
                checkpoint.write(self._store, self._state, self._keyring)
                self._checkpoint = self._state.seq

    def read_to(self, seq: int) -> State:
        """The state after entry `seq`, which must not have been read yet."""
        with self._lock:
            self._advance(seq - self._state.seq)
            return self._state

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> bool:
        found = checkpoint.newest(self._store, self._keyring)
        if found is None:
            return False
        self._state, self._checkpoint = found, found.seq
        return True

    def _advance(self, limit: int | None = None) -> bool:
        """Folds the tail in one step. Leaves the state unchanged when any entry is invalid."""
        unproven, head, seq = self._unproven, self._state.head, self._state.seq
        entries: list[tuple[log_entry.Entry, str]] = []
        ahead, self._read_ahead = self._read_ahead, None
        for data in islice(tail(self._store, seq + 1, ahead), limit):
            seq += 1
            entry = log_entry.decode(data, seq, head)
            if self._keyring and not self._proven(data, seq):
                unproven = seq
            head = log_entry.digest(data)
            entries.append((entry, head))
        if not entries:
            return False
        try:
            state = fold_all(self._state, entries)
        except (Conflict, NotFound, InvalidInput, KeyError, TypeError, AttributeError) as error:
            first, last = entries[0][0].seq, entries[-1][0].seq
            place = log_entry.key(first) if first == last else f"one of {log_entry.key(first)} to {log_entry.key(last)}"
            raise Corrupt(f"{place} contains a change that no writer could have committed: {error}") from None
        if unproven > state.trusted and not self._lenient:
            raise Corrupt(
                f"{log_entry.key(unproven)} is not signed by a key of ZELADOR_REGISTRY__SIGNING_KEY; check the log "
                "(zelador models verify) and, if it is genuine, vouch for it once with `zelador models trust`"
            )
        self._state, self._unproven = state, unproven
        self._passed(entries)
        return True

    def _passed(self, entries: Sequence[tuple[log_entry.Entry, str]]) -> None:
        """Called with the entries just folded, each with its digest. For subclasses."""

    def _proven(self, data: bytes, seq: int) -> bool:
        try:
            return self._keyring.proves("entry", data)
        except Corrupt as error:
            raise Corrupt(f"{log_entry.key(seq)}: {error}; restore the registry from a backup") from None
