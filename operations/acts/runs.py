"""Request a training run, cancel one, save some of its candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operations.actor import Actor
from operations.acts import models
from operations.audit import Act
from registry.facts import Model, describe_model
from registry.names import check_new_names
from registry.registry import Registry
from registry.run_document import new_run_id
from zelador.errors import InvalidInput
from zelador.training_queue import Run, RunRequest, TrainingQueue


def request(actor: Actor, registry: Registry, queue: TrainingQueue, wanted: RunRequest) -> Run:
    """Requests a run. Raises InvalidInput, DuplicateName, Conflict (another run is in progress), Unavailable."""
    check_new_names(wanted.get("names", []), registry.sync().models)
    run = queue.submit(new_run_id(), wanted, actor.name)
    actor.record(Act.RUN_REQUESTED, run.id, None, wanted)
    return run


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate of a run that is to be saved."""

    rank: int
    name: str
    notes: str = ""


def save(actor: Actor, registry: Registry, run: str, picks: Sequence[Pick]) -> list[Model]:
    """Registers some candidates of a run that has ended, all names checked first. Selects none.

    Raises InvalidInput, DuplicateName, NotFound, ModelRefused, Unavailable.
    """
    if not picks:
        raise InvalidInput("choose at least one candidate; nothing was saved")
    check_new_names([pick.name for pick in picks], registry.sync().models)
    saved = []
    for pick in picks:
        why = f"rank {pick.rank} of run {run}"
        model = registry.register_candidate(run, pick.rank, pick.name, by=actor.name, why=why)
        shown = describe_model(model, registry.state)
        actor.record(Act.MODEL_REGISTERED, model.name, None, shown)
        if pick.notes:
            shown = models.amend(actor, registry, model.name, {"notes": pick.notes})
        saved.append(shown)
    return saved


def cancel(actor: Actor, queue: TrainingQueue, run: str) -> Run:
    """Cancels a run. Raises NotFound, Conflict (it has ended), Unavailable."""
    found = queue.cancel(run, actor.name)
    actor.record(Act.RUN_CANCELLED, run)
    return found
