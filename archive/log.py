"""The log of the archive: create-only entries, each with the digest of the previous one, and checkpoints.

It has the form of the registry's log. A commit names the state on which it was decided: if another writer was first,
nothing is written, and the caller decides again. Entries that checkpoints make unnecessary are deleted after a while.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from itertools import islice
from threading import RLock
from typing import Any

import msgspec

from archive.state import State, fold_all
from registry.errors import LogReplaced
from registry.log import checkpoint
from registry.log import entry as log_entry
from registry.log.slots import claim, tail
from registry.store import Store
from zelador.clock import now_iso
from zelador.errors import Conflict, Corrupt, Unavailable

PATIENCE_S = 60.0  # time limit of one commit, for all tries together
CHECKPOINT_ENTRIES = 100  # new entries after which a checkpoint is written
PRUNED_ENTRIES = 5_000  # deleted in one call, at most
MAX_UNPACKED_BYTES = 1 << 28
ZSTD_LEVEL = 9
GO_ON = "restore the files of the archive from one backup, or name another folder with ZELADOR_ARCHIVE__URL"

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(State).decode


class ArchiveLog:
    """The log of one store, with its state. Thread-safe; between processes, the store decides who is first."""

    def __init__(self, store: Store, wait: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._wait = wait
        self._lock = RLock()
        self._state = State()
        self._checkpoint = 0  # number of the newest known checkpoint

    @property
    def state(self) -> State:
        """The state as of the last read; no I/O."""
        return self._state

    def sync(self) -> State:
        """Returns the current state. Raises LogReplaced if the last entry that was read is no longer in the log."""
        with self._lock:
            if self._state.seq == 0:
                self._begin()
            else:
                if self.digest_at(self._state.seq) != self._state.head and not self._overtake():
                    raise LogReplaced(
                        f"{self._store.where(log_entry.key(self._state.seq))} is not the entry that was read before: "
                        "the archive was restored or replaced while in use; restart the service that says this"
                    )
            self._advance()
            return self._state

    def reset(self) -> None:
        """Forgets the state after the log was replaced. The next `sync` reads the log from the start."""
        with self._lock:
            self._state, self._checkpoint = State(), 0

    def digest_at(self, seq: int) -> str | None:
        """Returns the digest of entry `seq` in the store, unchecked; None if there is no such entry."""
        data = self._store.read(log_entry.key(seq))
        return None if data is None else log_entry.digest(data)

    def prune(self, before: float) -> int:
        """Deletes entries and checkpoints that are no longer needed.

        These are the ones before the second newest intact checkpoint that was written before `before` (s since 1970
        UTC). So a copy of the folder that takes less time is complete. Returns the number of deleted entries.
        """
        with self._lock:
            kept = [(seq, item.modified) for item in self._store.list(checkpoint.FOLDER) if (seq := _number(item.key))]
            old = sorted((seq for seq, modified in kept if modified <= before), reverse=True)
            sound = [seq for seq in old if (found := self._found(seq)) and self.digest_at(seq) == found.head]
            if len(sound) < 2:
                return 0
            items = self._store.list(log_entry.FOLDER)
            keys = list(islice((i.key for i in items if i.key < log_entry.key(sound[1])), PRUNED_ENTRIES))
            for key in (*keys, *(checkpoint.key(seq) for seq, _ in kept if seq < sound[1])):
                self._store.delete(key)
            return len(keys)

    def commit(self, ops: Sequence[dict[str, Any]], decided_on: State, *, by: str, why: str = "") -> bool:
        """Appends the operations if `decided_on` is still the newest state; returns False if another entry came first.

        Raises Conflict for operations that are not allowed, OutcomeUnknown, Unavailable.
        """
        with self._lock:
            if decided_on.head != self._state.head:
                return False
            state = self._state
            entry = log_entry.Entry(state.seq + 1, state.head, uuid.uuid4().hex, now_iso(), by, why, tuple(ops))
            data = log_entry.encode(entry)
            # Fold the decoded entry, as other readers will.
            after = fold_all(state, [(log_entry.decode(data, entry.seq, state.head), log_entry.digest(data))])
            if claim(self._store, entry, data, time.monotonic() + PATIENCE_S, self._wait) is not None:
                self._advance()
                return entry.commit in self._state.commits
            self._state = after
            self._write_checkpoint_if_due()
            return True

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        for seq in checkpoint.numbers(self._store):
            found = self._found(seq)
            if found is None:
                continue  # use an older checkpoint, or the whole log
            if self.digest_at(seq) != found.head:
                raise Corrupt(
                    f"the archive's {checkpoint.key(seq)} was made when its log had entry {seq}, but "
                    f"{log_entry.key(seq)} is now missing or different: {GO_ON}"
                )
            self._state, self._checkpoint = found, seq
            return
        first = next(iter(self._store.list(log_entry.FOLDER)), None)
        if first is not None and first.key > log_entry.key(1):
            raise Corrupt(
                f"the archive's log begins with {first.key}, and no checkpoint before it can be read: {GO_ON}"
            )

    def _overtake(self) -> bool:
        """Continues from a checkpoint, if entries before it were pruned since the last read. Returns whether it did."""
        for seq in checkpoint.numbers(self._store):
            if seq <= self._state.seq:
                break
            found = self._found(seq)
            if found is not None and found.archive == self._state.archive and self.digest_at(seq) == found.head:
                self._state, self._checkpoint = found, seq
                return True
        return False

    def _found(self, seq: int) -> State | None:
        """Reads the state in a checkpoint; None if it is damaged."""
        data = self._store.read(checkpoint.key(seq))
        found = None if data is None else _decoded(data)
        return found if found is not None and found.seq == seq else None

    def _advance(self) -> None:
        """Applies the entries that follow. Leaves the state unchanged if any of them is invalid."""
        seq, head = self._state.seq, self._state.head
        entries: list[tuple[log_entry.Entry, str]] = []
        for data in tail(self._store, seq + 1):
            seq += 1
            entry = log_entry.decode(data, seq, head)
            head = log_entry.digest(data)
            entries.append((entry, head))
        if entries:
            try:
                self._state = fold_all(self._state, entries)
            except (Conflict, KeyError, TypeError, AttributeError, ValueError) as error:
                raise Corrupt(
                    f"the archive's log, entries {entries[0][0].seq} to {seq}, has a change that no writer could have "
                    f"committed ({error}): {GO_ON}"
                ) from None

    def _write_checkpoint_if_due(self) -> None:
        import zstandard

        if self._state.seq - self._checkpoint < CHECKPOINT_ENTRIES:
            return
        plain = msgspec.json.encode(self._state, enc_hook=dict)
        data = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(plain)
        try:
            self._store.put_stream(checkpoint.key(self._state.seq), [data])
            self._checkpoint = self._state.seq
        except Unavailable as error:  # the entry is committed; the next commit tries again
            log.warning("no checkpoint of the archive was written: %s", error)


def _number(key: str) -> int:
    match = checkpoint.FILE.match(key)
    return int(match[1]) if match else 0


def _decoded(data: bytes) -> State | None:
    """Decodes the state in a checkpoint; None if it is damaged."""
    import zstandard

    try:
        return _decode(zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_UNPACKED_BYTES))
    except (zstandard.ZstdError, msgspec.DecodeError, ValueError, MemoryError):
        return None
