"""Stores the end of a run in the registry: its events, and its failure if its trainer died."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from registry.registry import Registry
from registry.run_trainer import death_of
from zelador.clock import now_iso
from zelador.errors import ZeladorError
from zelador.training_queue.event import RunEvent, encode
from zelador.training_queue.run import ACTIVE

log = logging.getLogger(__name__)

MAX_RUNS = 50  # checked for a killed process, the newest


def save_events(registry: Registry, run: str, events: Sequence[RunEvent]) -> None:
    """Stores the events with the run. A failure is only logged, because the run's result does not depend on it."""
    try:
        registry.put_run_events(run, encode(events))
    except (ZeladorError, OSError) as error:
        log.warning("the events of run %s were not stored: %s", run, error)


def note_end(registry: Registry, run: str, why: str) -> None:
    """Marks a run as failed because its trainer died, if the registry still has it as active."""
    try:
        document = registry.run(run)
        if document["state"] in ACTIVE:
            document["state"], document["error"], document["ended_at"] = "failed", why, now_iso()
            document.pop("trainer", None)
            registry.put_run(run, document)
    except (ZeladorError, OSError) as error:
        log.warning("the end of run %s was not stored in the registry: %s", run, error)


def end_killed(registry: Registry) -> None:
    """Marks runs as failed whose process was killed before it could do so."""
    for run in registry.runs()[-MAX_RUNS:]:
        try:
            document = registry.run(run)
        except ZeladorError:  # damaged, or just collected
            continue
        if document["state"] in ACTIVE and (why := death_of(document.get("trainer"))) is not None:
            note_end(registry, run, why)
