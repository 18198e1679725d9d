"""Following the log: from a checkpoint or from its first entry to the newest, checking each link of the chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import RLock

from registry import checkpoint, log
from registry.errors import Replaced
from registry.fold import fold_all
from registry.signing import Keyring
from registry.state import State
from registry.store import Store
from zelador.errors import Conflict, Corrupt, InvalidInput, NotFound

ONE_BY_ONE = 4  # entries read singly before a tail is taken to be long
GO_ON = "put back what was there, or, if this is meant, say so: zelador models accept --why TEXT"
AT_ONCE = 16  # reads on their way: a bucket answers one in tens of milliseconds


class Follower:
    """The folded log of one store. Safe for the threads of a process; between processes the store decides.

    With a key, every entry must be signed by one of its keys, or be vouched for by a later, signed `trust`.
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
        """`from_zero`: no checkpoint is read. `lenient`: unsigned entries pass, for whoever will vouch for them."""
        self._store = store
        self._keyring = keyring or Keyring()
        self._wait = wait
        self._lock = RLock()
        self._state = State()
        self._from_zero = from_zero
        self._lenient = lenient
        self._unproven = 0  # the newest entry that no key of ours signed
        self._checkpoint = 0  # the newest that is known of
        self._read_ahead: tuple[int, bytes] | None = None  # an entry that a commit has read already

    @property
    def state(self) -> State:
        """As last folded."""
        return self._state

    def changed(self) -> bool:
        """One read of the log's next slot; folds what is there. Raises Corrupt, Unavailable."""
        with self._lock:
            if self._state.seq == 0 and not self._from_zero and self._begin():
                self._advance()
                return True
            return self._advance()

    def sync(self) -> State:
        """Our own last entry must still be there, else the folder was restored or swapped under us."""
        with self._lock:
            if self._state.seq:
                data = self._store.read(log.key(self._state.seq))
                if data is None or log.digest(data) != self._state.head:
                    raise Replaced(
                        f"{log.key(self._state.seq)} is not the entry that was read before: the registry was restored "
                        f"or replaced while in use; {GO_ON}"
                    )
            self.changed()
            return self._state

    def digest_at(self, seq: int) -> str | None:
        """Of the entry `seq` as it lies in the store now, unchecked; None where there is none. One read."""
        data = self._store.read(log.key(seq))
        return None if data is None else log.digest(data)

    def begin_anew(self) -> State:
        """Forgets what was folded and reads what is there now. Nothing is forgotten when that cannot be read."""
        fresh = Follower(self._store, self._keyring, from_zero=self._from_zero, lenient=self._lenient)
        if fresh.sync().seq == 0:
            raise Replaced(f"the registry is gone; {GO_ON}")
        with self._lock:
            self._state, self._unproven, self._checkpoint = fresh._state, fresh._unproven, fresh._checkpoint
            self._read_ahead = None
            return self._state

    def write_checkpoint_if_due(self) -> None:
        """May raise Unavailable; nothing is lost by it."""
        with self._lock:
            if not checkpoint.due(self._state, self._checkpoint):
                return
            self._checkpoint = max(checkpoint.numbers(self._store), default=0)  # another may have written one
            if checkpoint.due(self._state, self._checkpoint):
                checkpoint.write(self._store, self._state, self._keyring)
                self._checkpoint = self._state.seq

    def read_to(self, seq: int) -> State:
        """The state at an entry that lies ahead of what was read."""
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
        """Folds the tail in one go. The state stays as it was when anything in it is wrong."""
        unproven, head, seq = self._unproven, self._state.head, self._state.seq
        entries: list[tuple[log.Entry, str]] = []
        for data in islice(self._tail(seq + 1), limit):
            seq += 1
            entry = log.decode(data, seq, head)
            if self._keyring and not self._proven(data, seq):
                unproven = seq
            head = log.digest(data)
            entries.append((entry, head))
        if not entries:
            return False
        try:
            state = fold_all(self._state, entries)
        except (Conflict, NotFound, InvalidInput, KeyError, TypeError, AttributeError) as error:
            first, last = entries[0][0].seq, entries[-1][0].seq
            which = log.key(first) if first == last else f"one of {log.key(first)} to {log.key(last)}"
            raise Corrupt(f"{which} holds what cannot have been committed: {error}") from None
        if unproven > state.trusted and not self._lenient:
            raise Corrupt(
                f"{log.key(unproven)} is not signed by a key of ZELADOR_REGISTRY__SIGNING_KEY; if the log is as you "
                "know it (zelador models verify), vouch for it once with `zelador models trust`"
            )
        self._state, self._unproven = state, unproven
        self._passed(entries)
        return True

    def _passed(self, entries: Sequence[tuple[log.Entry, str]]) -> None:
        """For whoever wants to see the entries that were folded, each with its digest."""

    def _proven(self, data: bytes, seq: int) -> bool:
        try:
            return self._keyring.proves("entry", data)
        except Corrupt as error:
            raise Corrupt(f"{log.key(seq)}: {error}; restore the registry from a backup") from None

    def _tail(self, seq: int) -> Iterator[bytes]:
        """The entries from `seq` on: the first few one by one, a long tail by many reads at once."""
        for number in range(seq, seq + ONE_BY_ONE):
            ahead, self._read_ahead = self._read_ahead, None
            data = ahead[1] if ahead and ahead[0] == number else self._store.read(log.key(number))
            if data is None:
                return
            yield data
        seq += ONE_BY_ONE
        items = self._store.list(log.FOLDER, log.key(seq - 1))
        keys = (item.key for item in items if log.FILE.match(item.key.removeprefix(f"{log.FOLDER}/")))
        with ThreadPoolExecutor(AT_ONCE, "registry-tail") as pool:
            while block := list(islice(keys, 64 * AT_ONCE)):
                for key, data in zip(block, pool.map(self._store.read, block), strict=True):
                    if key != log.key(seq) or data is None:
                        return  # a gap: what is behind it is no part of the chain
                    yield data
                    seq += 1
