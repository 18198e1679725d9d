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
from registry.run_document import default_name, new_run_id
from registry.run_trainer import death_of
from zelador.errors import Conflict, InvalidInput, NotFound, ZeladorError
from zelador.training_queue import Run, RunRequest, TrainingQueue
from zelador.training_queue.run import ACTIVE


def request(actor: Actor, registry: Registry, queue: TrainingQueue, wanted: RunRequest) -> Run:
    """Requests a run. Raises InvalidInput, DuplicateName, Conflict (another run is in progress), Unavailable."""
    check_new_names(wanted.get("names", []), registry.sync().models)
    _check_register(wanted)
    actor.check()
    run = queue.submit(new_run_id(), wanted, actor.name)
    actor.record(Act.RUN_REQUESTED, run.id, None, wanted)
    return run


def _check_register(wanted: RunRequest) -> None:
    """Checks ranks and names against each other; the trainer checks them against its settings. Raises InvalidInput."""
    register, names = wanted.get("register", True), wanted.get("names", [])
    if isinstance(register, list) and len(set(register)) < len(register):
        raise InvalidInput("register: a rank is named twice")
    if register is not True and len(names) > (count := len(register) if register else 0):
        raise InvalidInput(f"names: {len(names)} names, and {count} models are to be registered")


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate of a run that is to be saved. Without a name it gets the default one."""

    rank: int
    name: str = ""
    notes: str = ""


def picks(
    registry: Registry, run: str, ranks: Sequence[int] | None, names: Sequence[str] = (), notes: Sequence[str] = ()
) -> list[Pick]:
    """The candidates with these ranks (None: all), for `save`. Names and notes are in the same order.

    A single note is for all of them. Raises InvalidInput, NotFound.
    """
    chosen = _kept(registry, run) if ranks is None else tuple(ranks)
    if len(names) > len(chosen):
        raise InvalidInput(f"{len(names)} names for {len(chosen)} candidates; nothing was saved")
    if len(notes) not in (0, 1, len(chosen)):
        raise InvalidInput(f"{len(notes)} notes for {len(chosen)} candidates: give one for all, or one for each")
    texts = list(notes) * len(chosen) if len(notes) == 1 else [*notes, *[""] * (len(chosen) - len(notes))]
    named = [*names, *[""] * (len(chosen) - len(names))]
    return [Pick(rank, name, text) for rank, name, text in zip(chosen, named, texts, strict=True)]


def save(actor: Actor, registry: Registry, run: str, picks: Sequence[Pick]) -> list[Model]:
    """Registers some candidates of a run, however long ago it ended, after all names were checked. Selects none.

    Raises InvalidInput, DuplicateName, NotFound, Conflict (the run has not ended), ModelRefused, Unavailable. If some
    were saved before the error, its message names them.
    """
    if not picks:
        raise InvalidInput("choose at least one candidate; nothing was saved")
    ranks = [pick.rank for pick in picks]
    if twice := [rank for rank in ranks if ranks.count(rank) > 1]:
        raise InvalidInput(f"the candidate {twice[0]} is named twice; nothing was saved")
    kept = _kept(registry, run)
    if absent := [rank for rank in ranks if rank not in kept]:
        raise NotFound(f"run {run!r} has no candidate {absent[0]}; it has {', '.join(map(str, kept))}")
    taken = registry.sync().models
    types = {model["rank"]: model["model_type"] for model in registry.run(run).get("models", ())}
    names = [pick.name or default_name(types.get(pick.rank, f"Candidate{pick.rank}"), run, taken) for pick in picks]
    check_new_names(names, taken)
    saved: list[Model] = []
    actor.check()
    try:
        for pick, name in zip(picks, names, strict=True):
            saved.append(_save(actor, registry, run, pick, name))
    except ZeladorError as error:
        if saved:
            error.args = (f"{error}. Saved before that: {', '.join(model['name'] for model in saved)}",)
        raise
    return saved


def _save(actor: Actor, registry: Registry, run: str, pick: Pick, name: str) -> Model:
    model = registry.register_candidate(run, pick.rank, name, by=actor.name, why=f"rank {pick.rank} of run {run}")
    shown = describe_model(model, registry.state)
    actor.record(Act.MODEL_REGISTERED, model.name, None, shown)
    return models.amend(actor, registry, model.name, {"notes": pick.notes}) if pick.notes else shown


def _kept(registry: Registry, run: str) -> tuple[int, ...]:
    """The ranks that can be saved. Raises NotFound, Conflict."""
    document = registry.run(run)
    found = registry.candidates(run)
    if not found:
        if document["state"] in ACTIVE and (why := death_of(document.get("trainer"))) is not None:
            raise NotFound(f"run {run} has no candidates to save: {why}")
        if document["state"] in ACTIVE:
            raise Conflict(f"run {run} has not ended; save its models when it is done")
        raise NotFound(f"run {run} has no candidates to save: it {document['state']}; start another run")
    return found


def cancel(actor: Actor, queue: TrainingQueue, run: str) -> Run:
    """Cancels a run. Raises NotFound, Conflict (it has ended), Unavailable."""
    actor.check()
    found = queue.cancel(run, actor.name)
    actor.record(Act.RUN_CANCELLED, run)
    return found


def finish(actor: Actor, queue: TrainingQueue, run: str) -> Run:
    """Ends the comparison of a running run, which continues with the candidates so far.

    Raises NotFound, Conflict, Unavailable.
    """
    actor.check()
    found = queue.finish(run, actor.name)
    actor.record(Act.RUN_FINISHED, run)
    return found
