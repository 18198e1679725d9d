"""Request a training run, or cancel one."""

from __future__ import annotations

from operations.actor import Actor
from operations.audit import Act
from registry.names import check_new_names
from registry.registry import Registry
from registry.run_document import new_run_id
from zelador.training_queue import Run, RunRequest, TrainingQueue


def request(actor: Actor, registry: Registry, queue: TrainingQueue, wanted: RunRequest) -> Run:
    """Requests a run. Raises InvalidInput, DuplicateName, Conflict (another run is in progress), Unavailable."""
    check_new_names(wanted.get("names", []), registry.sync().models)
    run = queue.submit(new_run_id(), wanted, actor.name)
    actor.record(Act.RUN_REQUESTED, run.id, None, wanted)
    return run


def cancel(actor: Actor, queue: TrainingQueue, run: str) -> Run:
    """Cancels a run. Raises NotFound, Conflict (it has ended), Unavailable."""
    found = queue.cancel(run, actor.name)
    actor.record(Act.RUN_CANCELLED, run)
    return found
