"""One training run, from a data set to registered models. Selects nothing."""

from __future__ import annotations

import json
import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from registry.names import check_new_name
from registry.registry import Registry
from trainer.dataset import Dataset, check
from trainer.leaderboard import MODEL_TYPES
from trainer.process import Cancelled, Child, RunFailed
from zelador.errors import InvalidInput, ZeladorError
from zelador.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked for beyond the settings; `names` in the order of rank, the rest get default names."""

    run: str
    by: str
    metric: str
    candidates: tuple[str, ...] | None = None
    names: Sequence[str] = ()
    notes: str = ""
    register: bool = True
    metadata: dict[str, Any] = field(default_factory=dict)


def new_run_id() -> str:
    """`<YYYYMMDD>_<HHMMSS>-<4 hex>`, UTC."""
    return f"{datetime.now(timezone.utc):%Y%m%d_%H%M%S}-{secrets.token_hex(2)}"


def train(
    dataset: Dataset,
    settings: Settings,
    registry: Registry,
    options: Options,
    stop: Event,
    progress: Callable[[str], None] = lambda _: None,
    child: Child | None = None,
    cancelled: Event | None = None,
) -> dict[str, Any]:
    """The run's document, with its leaderboard and the models that were registered (docs/contracts.md has one).

    `child` may have been made ahead; it is ended here. Raises InvalidInput for data that cannot be learned from or
    an unknown candidate, DuplicateName, RunFailed, Cancelled, Unavailable (told to stop, registry).
    """
    training = settings.training
    check(dataset, training.folds, training.holdout)
    _check_options(options, registry)
    document: dict[str, Any] = {
        "run": options.run,
        "by": options.by,
        "metric": options.metric,
        "notes": options.notes,
        "started_at": _now(),
        "rows": len(dataset.labels),
        "data": dataset.facts(),
        "features": list(dataset.features),
    }
    registry.put_run(options.run, {**document, "state": "running"})  # a folder that cannot be written fails now
    started = time.perf_counter()
    try:
        # The child ends before its folder goes.
        with (
            tempfile.TemporaryDirectory(prefix="zelador-run-", ignore_cleanup_errors=True) as name,
            child or Child() as worker,
        ):
            folder = Path(name)
            _write_request(folder, dataset, settings, options)
            progress("comparing classifiers")
            result = worker.run(folder, stop, cancelled or Event(), training.timeout_s, progress)
            document["leaderboard"] = result["leaderboard"]
            if not result["candidates"]:
                reasons = "; ".join(f"{row['model_type']}: {row['trouble']}" for row in result["leaderboard"])
                raise RunFailed(f"no candidate could be used ({reasons}); name others, or look at the data")
            if len(result["candidates"]) < training.keep:
                progress(f"only {len(result['candidates'])} of {training.keep} candidates could be used")
            models = _keep(folder, registry, options, result["candidates"])
    except BaseException as error:
        state = "cancelled" if isinstance(error, Cancelled) else "failed"
        _note_failure(registry, {**document, "state": state, "error": str(error), "ended_at": _now()})
        raise
    finished = {
        **document,
        "state": "done",
        "ended_at": _now(),
        "seconds": {**result["seconds"], "total": round(time.perf_counter() - started, 1)},
        "classes": result["classes"],
        "train_rows": result["train_rows"],
        "holdout_rows": result["holdout_rows"],
        "models": models,
    }
    registry.put_run(options.run, finished)
    _collect(registry)
    return finished


def _check_options(options: Options, registry: Registry) -> None:
    """Before seconds are spent. Raises InvalidInput, DuplicateName."""
    if unknown := [name for name in options.candidates or () if name not in MODEL_TYPES]:
        raise InvalidInput(f"there is no candidate {unknown[0]!r}; take some of {', '.join(MODEL_TYPES)}")
    if twice := [name for name in options.names if options.names.count(name) > 1]:
        raise InvalidInput(f"names: {twice[0]!r} is named twice; each model needs a name of its own")
    taken = registry.sync().models
    for name in options.names:
        check_new_name(name, (*taken, *(other for other in options.names if other != name)))


def _collect(registry: Registry) -> None:
    """A run is the rarest and the longest of all that happens: what nobody needs any more goes with it."""
    try:
        registry.collect(by="trainer")
    except (ZeladorError, OSError) as error:
        log.warning("the registry was not collected; the next run does it: %s", error)


def _note_failure(registry: Registry, document: dict[str, Any]) -> None:
    """Must not hide why the run failed."""
    try:
        registry.put_run(document["run"], document)
    except (ZeladorError, OSError) as error:
        log.warning("the registry does not know that run %s failed: %s", document["run"], error)


def _write_request(folder: Path, dataset: Dataset, settings: Settings, options: Options) -> None:
    training = settings.training
    request = {
        "features": list(dataset.features),
        "units": {name: settings.field(name).unit for name in dataset.features},
        "labels": list(dataset.labels),
        "metric": options.metric,
        "folds": training.folds,
        "keep": training.keep,
        "holdout": training.holdout,
        "seed": training.seed,
        "candidates": list(options.candidates) if options.candidates else None,
        "metadata": {
            "metric": options.metric,
            "run": options.run,
            "data": dataset.facts(),
            "description": options.notes,
            "tags": [],
            **options.metadata,
        },
    }
    np.save(folder / "rows.npy", dataset.rows, allow_pickle=False)
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")


def _keep(folder: Path, registry: Registry, options: Options, candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keeps every candidate with the run, and registers it if asked to, under its name."""
    models = []
    for candidate in candidates:
        rank = candidate["rank"]
        source = folder / str(rank)
        files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
        registry.put_candidate(options.run, rank, files)
        if rank <= len(options.names):
            name = options.names[rank - 1]
        else:
            name = _default_name(candidate, options.run, registry.state.models)
        if options.register:
            why = f"run {options.run}, rank {rank} by {options.metric}"
            name = registry.register_candidate(options.run, rank, name, by=options.by, why=why).name
            log.info("registered %s, served by its %s", name, candidate["served_by"])
        models.append({"name": name if options.register else None, **{k: v for k, v in candidate.items() if k != "id"}})
    return models


def _default_name(candidate: dict[str, Any], run: str, taken: Container[str]) -> str:
    """`<ModelType>_<YYYYMMDD>_<HHMMSS>`; the run's own suffix is added only if two runs began in one second."""
    name = f"{candidate['model_type']}_{run.split('-')[0]}"
    return f"{candidate['model_type']}_{run}" if name in taken else name


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
