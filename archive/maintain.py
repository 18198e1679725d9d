"""Maintains the archive's files: merges small ones, removes old ones, sweeps what no longer counts, prunes the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from threading import Event
from typing import Any

from archive import paths
from archive.archive import Archive, open_archive
from archive.compact import merge, plan
from archive.layout import Kind
from registry.errors import LogReplaced
from zelador.buffer.entry import order_of
from zelador.errors import Corrupt
from zelador.settings import ArchiveSettings
from zelador.side_thread import SideThread

log = logging.getLogger(__name__)

EVERY_S = 20.0  # between two rounds
SWEEP_S = 3_600.0  # between two listings of all files
REPEAT_S = 600.0  # between two log lines about trouble
CLOSE_S = 2.0  # time for a merge to end on a stop
BY = "maintenance"
KINDS: tuple[Kind, ...] = ("readings", "outcomes")


class Maintenance:
    """Maintains the files, on a separate thread with its own view of the log.

    If the archiver commits first, the maintenance commits in a later round.
    """

    def __init__(self, settings: ArchiveSettings, stop: Event, archive: Archive | None = None) -> None:
        self._settings = settings
        self._stop = stop
        self._archive = archive or open_archive(settings)
        self._swept_at = float("-inf")
        self._damaged: set[str] = set()  # files that could not be read, and are not merged again
        self._thread = SideThread(
            "maintenance",
            stop,
            self._step,
            trouble="the archive's files were not maintained",
            retry_s=lambda _: EVERY_S,
            delay_s=EVERY_S,
            repeat_s=REPEAT_S,
            on_error=self._sweep_again,
        )

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._thread.join(CLOSE_S)

    def round(self, now: Callable[[], float] = time.time) -> None:
        """Merges, removes, sweeps and prunes what is due. Raises ZeladorError."""
        self._archive.log.sync()
        self._expire(now())
        self._merge(now())
        if time.monotonic() - self._swept_at >= SWEEP_S:
            self.sweep(now())
            self._archive.log.prune(now() - self._settings.grace_s)
            self._swept_at = time.monotonic()

    def sweep(self, now: float) -> int:
        """Deletes files that do not count, after the grace period. Returns their number."""
        store, before = self._archive.store, now - self._settings.grace_s
        paths.settle(store, self._archive.log)
        state = self._archive.log.state
        counts = {key for path in state.files for key in paths.stages(store, path)}
        removed = {key: at for path, at in state.removed.items() for key in paths.stages(store, path)}
        deleted, found = 0, set[str]()
        for item in [item for folder in paths.FOLDERS for item in store.list(folder)]:
            found.add(item.key)
            at = removed.get(item.key)
            if item.key in counts or item.modified > before or (at and _seconds(at) > before):
                continue
            store.delete(item.key)
            found.discard(item.key)
            deleted += 1
        gone = [
            path
            for path, at in state.removed.items()
            if _seconds(at) <= before and found.isdisjoint(paths.stages(store, path))
        ]
        if gone:
            self._archive.log.commit([{"op": "sweep", "paths": gone}], state, by=BY)
        if deleted:
            log.info("deleted %d files that were merged, removed or abandoned", deleted)
        return deleted

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _step(self) -> float:
        try:
            self.round()
        except LogReplaced:
            self._archive.log.reset()  # the archiver reports it
        return EVERY_S

    def _sweep_again(self) -> None:
        self._swept_at = float("-inf")  # a rename may be missing

    def _merge(self, now: float) -> None:
        today = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%d")
        for kind in KINDS:
            for run in list(plan(self._archive.log.state.of(kind), today)):
                if self._stop.is_set():
                    return
                if any(file.path in self._damaged for file in run):
                    continue
                state = self._archive.log.sync()
                if any(file.path not in state.files for file in run):
                    continue  # another process was faster
                try:
                    merge(self._archive, state, run, BY)
                except Corrupt:
                    self._damaged |= {file.path for file in run}
                    raise

    def _expire(self, now: float) -> None:
        if self._settings.keep_s is None:
            return
        oldest, state = (now - self._settings.keep_s) * 1000, self._archive.log.state
        expired = [path for path, file in state.files.items() if order_of(file.last)[0] < oldest]
        if expired:
            rows = sum(state.files[path].rows for path in expired if state.files[path].kind == "readings")
            op: dict[str, Any] = {"op": "remove", "paths": expired}
            why = f"older than ZELADOR_ARCHIVE__KEEP_S={self._settings.keep_s:g}"
            if self._archive.log.commit([op], state, by=BY, why=why):
                paths.hide(self._archive.store, expired)
                log.info("removed %d files with %d readings: %s", len(expired), rows, why)


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
