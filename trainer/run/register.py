"""Stores the candidates of a run, and registers those that the request names."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from operations.audit import Act
from registry.errors import DuplicateName
from registry.facts import Model, describe_model
from registry.registry import Registry
from registry.run_document import Candidate, TrainedModel, default_name
from trainer.run.options import Options
from trainer.run.recorded import Record

log = logging.getLogger(__name__)

AUDITED = ("name", "run", "rank", "model_type", "served_by", "digest", "saved_at", "saved_by")
MAX_NOTES = 200  # characters


def register(
    folder: Path, registry: Registry, options: Options, candidates: Sequence[Candidate], record: Record
) -> list[TrainedModel]:
    """Stores all candidates, then registers and records those that are chosen. Returns what the run's document says.

    All are stored first, so that a candidate that cannot be registered can still be saved later.
    """
    for candidate in candidates:
        registry.put_candidate(options.run, candidate["rank"], folder / str(candidate["rank"]))
    names = iter(options.names)
    return [
        _registered(registry, options, candidate, next(names, None), record)
        if is_chosen(options.register, candidate["rank"])
        else _with_name(candidate, None)
        for candidate in candidates
    ]


def is_chosen(register: bool | tuple[int, ...], rank: int) -> bool:
    return rank in register if isinstance(register, tuple) else register


def _registered(
    registry: Registry, options: Options, candidate: Candidate, wanted: str | None, record: Record
) -> TrainedModel:
    """Registers a candidate under `wanted`, or under the default name if that name was taken during the run."""
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
    record(Act.MODEL_REGISTERED, model.name, _facts(describe_model(model, registry.state)))
    log.info("registered %s, served by its %s", model.name, candidate["served_by"])
    trained = _with_name(candidate, model.name)
    if note is not None:
        trained["note"] = note
    return trained


def _facts(model: Model) -> dict[str, object]:
    """Returns what the audit log keeps of a model: few enough bytes that none is cut off."""
    kept: dict[str, object] = {key: value for key, value in model.items() if key in AUDITED}
    return {**kept, "notes": str(model.get("notes") or "")[:MAX_NOTES]}


def _with_name(candidate: Candidate, name: str | None) -> TrainedModel:
    return cast(TrainedModel, {"name": name, **candidate})
