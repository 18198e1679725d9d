"""Stores the candidates of a run with it, and registers those that the run asks for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from registry.errors import DuplicateName
from registry.registry import Registry
from registry.run_document import Candidate, TrainedModel, default_name
from trainer.run.options import Options

log = logging.getLogger(__name__)


def keep(folder: Path, registry: Registry, options: Options, candidates: Sequence[Candidate]) -> list[TrainedModel]:
    """All are stored before the first is registered, so that those that cannot be can be saved later."""
    for candidate in candidates:
        registry.put_candidate(options.run, candidate["rank"], folder / str(candidate["rank"]))
    names = iter(options.names)
    return [
        _registered(registry, options, candidate, next(names, None))
        if is_chosen(options.register, candidate["rank"])
        else _trained(candidate, None)
        for candidate in candidates
    ]


def is_chosen(register: bool | tuple[int, ...], rank: int) -> bool:
    return rank in register if isinstance(register, tuple) else register


def _registered(registry: Registry, options: Options, candidate: Candidate, wanted: str | None) -> TrainedModel:
    """Under the default name if another model got the wanted one while the run went on."""
    rank, why = candidate["rank"], f"run {options.run}, rank {candidate['rank']} by {options.metric}"
    name = wanted or default_name(candidate["model_type"], options.run, registry.sync().models)
    note = None
    try:
        model = registry.register_candidate(options.run, rank, name, by=options.by, why=why)
    except DuplicateName as error:
        if wanted is None:
            raise
        name = default_name(candidate["model_type"], options.run, registry.sync().models)
        note = f"registered as {name}: {error}"
        log.warning("rank %d of run %s is %s", rank, options.run, note)
        model = registry.register_candidate(options.run, rank, name, by=options.by, why=why)
    log.info("registered %s, served by its %s", model.name, candidate["served_by"])
    trained = _trained(candidate, model.name)
    if note is not None:
        trained["note"] = note
    return trained


def _trained(candidate: Candidate, name: str | None) -> TrainedModel:
    return cast(TrainedModel, {"name": name, **candidate})
