"""Collecting what nobody needs: condemned first, in the log, and gone only after a grace.

The grace is what lets a save finish, and a copy of the folder taken meanwhile be whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.commit import Log
from registry.payload import FOLDER, Payload
from registry.state import State
from registry.store import Store

RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Collected:
    condemned: tuple[str, ...]  # uploads that no entry names, "name/upload"
    removed: tuple[str, ...]  # uploads whose files went
    runs: tuple[str, ...]  # training runs that went


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
    """Condemns what no entry names and is older than the grace; removes what was condemned so long ago.

    The candidates are listed once and filtered at each try of the commit, or under load none would ever land.
    """
    present = _newest(store, FOLDER, 3)
    old = [key for key, modified in present.items() if modified < clock() - grace_s]
    chosen: list[str] = []

    def condemn(state: State) -> list[dict[str, Any]]:
        registered = {model.payload for model in state.models.values()}
        chosen[:] = [key for key in old if key not in registered and key not in state.condemned]
        return [{"op": "condemn", "uploads": list(chosen)}] if chosen else []

    state = chain.commit(condemn, by=by, why="uploads that nobody registered")
    due = [key for key in present if key in state.condemned and _seconds(state.condemned[key]) < clock() - grace_s]
    for key in due:
        payload.remove(key)
    runs = [run for run, modified in _newest(store, RUNS, 2).items() if modified < clock() - keep_runs_s]
    for run in runs:
        for item in list(store.list(f"{RUNS}/{run}")):
            store.delete(item.key)
    return Collected(tuple(chosen), tuple(due), tuple(runs))


def _newest(store: Store, prefix: str, depth: int) -> dict[str, float]:
    """By folder, `depth` names deep and named without the first, when its newest file was written."""
    found: dict[str, float] = {}
    for item in store.list(prefix):
        names = item.key.split("/")
        if len(names) > depth:
            key = "/".join(names[1:depth])
            found[key] = max(found.get(key, 0.0), item.modified)
    return found


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
