"""What the registry keeps of a run beside its models: its events, and its end if its trainer died."""

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

LOOKED_AT = 50  # runs, the newest


def save_events(registry: Registry, run: str, events: Sequence[RunEvent]) -> None:
    """Keeps the events with the run. That it fails must not cost the run."""
    try:
        registry.put_run_events(run, encode(events))
    except (ZeladorError, OSError) as error:
        log.warning("the events of run %s are not kept: %s", run, error)


def note_end(registry: Registry, run: str, why: str) -> None:
    """Writes the end of a run whose trainer died, if the registry has it as running."""
    try:
        document = registry.run(run)
        if document["state"] in ACTIVE:
            document["state"], document["error"], document["ended_at"] = "failed", why, now_iso()
            document.pop("trainer", None)
            registry.put_run(run, document)
    except (ZeladorError, OSError) as error:
        log.warning("the end of run %s is not in the registry: %s", run, error)


def end_killed(registry: Registry) -> None:
    """Writes the end of runs whose process was killed, so that it could not."""
    for run in registry.runs()[-LOOKED_AT:]:
        try:
            document = registry.run(run)
        except ZeladorError:  # damaged, or just collected
            continue
        if document["state"] in ACTIVE and (why := death_of(document.get("trainer"))) is not None:
            note_end(registry, run, why)
