"""Request a training run, or cancel one."""

from __future__ import annotations

from collections.abc import Sequence

from operations.actor import Actor
from operations.audit import Act
from registry.errors import DuplicateName
from registry.names import check_name
from registry.registry import Registry
from registry.run_document import new_run_id
from zelador.errors import InvalidInput
from zelador.training_queue import Run, RunRequest, TrainingQueue


def request(actor: Actor, registry: Registry, queue: TrainingQueue, wanted: RunRequest) -> Run:
    """Requests a run. Raises InvalidInput, DuplicateName, Conflict (another run is in progress), Unavailable."""
    check_names(registry, wanted.get("names", []))
    run = queue.submit(new_run_id(), wanted, actor.name)
    actor.record(Act.RUN_REQUESTED, run.id, None, wanted)
    return run


def cancel(actor: Actor, queue: TrainingQueue, run: str) -> Run:
    """Cancels a run. Raises NotFound, Conflict (it has ended), Unavailable."""
    found = queue.cancel(run, actor.name)
    actor.record(Act.RUN_CANCELLED, run)
    return found


def check_names(registry: Registry, names: Sequence[str]) -> None:
    """The names for a run's models. Raises InvalidInput, DuplicateName."""
    if len(set(names)) != len(names):
        raise InvalidInput("names: each model needs a different name")
    taken = registry.sync().models
    for name in names:
        if check_name(name) in taken:
            raise DuplicateName(f"there is a model {name!r} already; choose another name")
