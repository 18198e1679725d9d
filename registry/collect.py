"""Collection of unused files in two steps: they are condemned in the log, and deleted after a grace period.

The grace period lets a running save finish, and keeps a copy of the folder complete while it is being made.
Training runs that are older than `keep_runs_s` are deleted at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.log.commit import Log
from registry.log.state import State
from registry.model.payload import FOLDER, Payload
from registry.store import Store

RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Collected:
    condemned: tuple[str, ...]  # uploads that no model uses, "name/upload"
    removed: tuple[str, ...]  # uploads whose files were deleted
    runs: tuple[str, ...]  # training runs that were deleted


def collect(
    store: Store,
    chain: Log,
    payload: Payload,
    *,
    grace_s: float,
    keep_runs_s: float,
    by: str,
    clock: Callable[[], float] = time.time,
) -> Collected:
    """Condemns unregistered uploads older than the grace period; deletes those condemned longer ago than that.

    The uploads are listed once and filtered at each try of the commit: a new listing at each try could take so long
    that, under load, another writer always came first.
    """
    present = _newest(store, FOLDER, 3)
    old = [key for key, modified in present.items() if modified < clock() - grace_s]
    chosen: list[str] = []

    def condemn(state: State) -> list[dict[str, Any]]:
        registered = {model.payload for model in state.models.values()}
        chosen[:] = [key for key in old if key not in registered and key not in state.condemned]
        return [{"op": "condemn", "uploads": list(chosen)}] if chosen else []

    state = chain.commit(condemn, by=by, why="uploads that were never registered")
    due = [key for key in present if key in state.condemned and _seconds(state.condemned[key]) < clock() - grace_s]
    for key in due:
        payload.remove(key)
    runs = [run for run, modified in _newest(store, RUNS, 2).items() if modified < clock() - keep_runs_s]
    for run in runs:
        for item in list(store.list(f"{RUNS}/{run}")):
            store.delete(item.key)
    return Collected(tuple(chosen), tuple(due), tuple(runs))


def _newest(store: Store, prefix: str, depth: int) -> dict[str, float]:
    """The time of the newest file in each folder that is `depth` names deep. Folder names omit the first part."""
    found: dict[str, float] = {}
    for item in store.list(prefix):
        names = item.key.split("/")
        if len(names) > depth:
            key = "/".join(names[1:depth])
            found[key] = max(found.get(key, 0.0), item.modified)
    return found


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
