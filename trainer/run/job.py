"""One training run, from a data set to registered models. It selects no model."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from registry.names import check_new_names
from registry.registry import Registry
from registry.run_document import Candidate, RunDocument, TrainedModel, in_order
from trainer.compare.leaderboard import MODEL_TYPES
from trainer.dataset import Dataset, check
from trainer.run import request
from trainer.run.candidates import check_candidates
from trainer.run.process import Cancelled, Child, RunFailed
from trainer.run.request import Request, RunFacts
from zelador.clock import now_iso
from zelador.errors import ZeladorError
from zelador.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked for beyond the settings.

    `names` are for the models in the order of rank; models beyond them get default names.
    """

    run: str
    by: str
    metric: str
    candidates: tuple[str, ...] | None = None
    names: Sequence[str] = ()
    notes: str = ""
    register: bool = True


def train(
    dataset: Dataset,
    settings: Settings,
    registry: Registry,
    options: Options,
    stop: Event,
    progress: Callable[[str], None] = lambda _: None,
    child: Child | None = None,
    cancelled: Event | None = None,
) -> RunDocument:
    """Trains, and returns the run's document with its leaderboard and its models.

    `child` may have been started before; it is ended here. Raises InvalidInput for data that cannot be learned from or
    for an unknown candidate, DuplicateName, RunFailed, Cancelled; Unavailable when `stop` is set or the registry fails.
    """
    training = settings.training
    check(dataset, training.folds, training.holdout)
    _check_options(options, registry)
    document: RunDocument = {
        "run": options.run,
        "by": options.by,
        "metric": options.metric,
        "notes": options.notes,
        "started_at": now_iso(),
        "rows": len(dataset.labels),
        "data": dataset.facts(),
        "features": list(dataset.features),
        "state": "running",
    }
    registry.put_run(options.run, document)  # a registry that cannot be written fails the run now, not at its end
    started = time.perf_counter()
    try:
        # The child ends before its folder is removed.
        with (
            tempfile.TemporaryDirectory(prefix="zelador-run-", ignore_cleanup_errors=True) as name,
            child or Child() as worker,
        ):
            folder = Path(name)
            request.write(folder, _request(dataset, settings, options), dataset.rows)
            progress("comparing classifiers")
            result = worker.run(folder, stop, cancelled or Event(), training.timeout_s, progress)
            document["leaderboard"] = result.leaderboard
            if not result.candidates:
                reasons = "; ".join(f"{row['model_type']}: {row['trouble']}" for row in result.leaderboard)
                raise RunFailed(f"no candidate could be used ({reasons}); name others, or check the data")
            if len(result.candidates) < (keep := _keep_count(settings, options)):
                progress(f"only {len(result.candidates)} of {keep} candidates could be used")
            models = [_keep(folder, registry, options, candidate) for candidate in result.candidates]
    except BaseException as error:
        _note_failure(registry, document, error)
        raise
    document["state"] = "done"
    document["ended_at"] = now_iso()
    document["seconds"] = {**result.seconds, "total": round(time.perf_counter() - started, 1)}
    document["classes"] = result.classes
    document["train_rows"] = result.train_rows
    document["holdout_rows"] = result.holdout_rows
    document["models"] = models
    registry.put_run(options.run, document)
    _collect(registry)
    return in_order(document)


def _check_options(options: Options, registry: Registry) -> None:
    """Checks the options before any time is spent. Raises InvalidInput, DuplicateName."""
    check_candidates(options.candidates or ())
    check_new_names(options.names, registry.sync().models)


def _collect(registry: Registry) -> None:
    """Frees the space of what is no longer needed: a run is rare and long, so that the time does not matter."""
    try:
        registry.collect(by="trainer")
    except (ZeladorError, OSError) as error:
        log.warning("the registry was not collected, the next run will try again: %s", error)


def _note_failure(registry: Registry, document: RunDocument, error: BaseException) -> None:
    """Writes the end of a failed run. A registry that cannot be written must not hide why the run failed."""
    document["state"] = "cancelled" if isinstance(error, Cancelled) else "failed"
    document["error"] = str(error)
    document["ended_at"] = now_iso()
    try:
        registry.put_run(document["run"], document)
    except (ZeladorError, OSError) as trouble:
        log.warning("the failure of run %s could not be written to the registry: %s", document["run"], trouble)


def _request(dataset: Dataset, settings: Settings, options: Options) -> Request:
    training = settings.training
    return Request(
        features=dataset.features,
        units={name: settings.field(name).unit for name in dataset.features},
        labels=dataset.labels,
        metric=options.metric,
        folds=training.folds,
        keep=_keep_count(settings, options),
        holdout=training.holdout,
        seed=training.seed,
        candidates=options.candidates or None,
        metadata=RunFacts(
            metric=options.metric, run=options.run, data=dataset.facts(), description=options.notes, tags=[]
        ),
    )


def _keep_count(settings: Settings, options: Options) -> int:
    """How many candidates are kept: no more than were asked for."""
    return min(settings.training.keep, len(set(options.candidates or MODEL_TYPES)))


def _keep(folder: Path, registry: Registry, options: Options, candidate: Candidate) -> TrainedModel:
    """Keeps a candidate with its run, and registers it under its name if the run asks for that."""
    rank = candidate["rank"]
    registry.put_candidate(options.run, rank, folder / str(rank))
    if not options.register:
        return TrainedModel(name=None, **candidate)
    if rank <= len(options.names):
        name = options.names[rank - 1]
    else:
        name = _default_name(candidate["model_type"], options.run, registry.state.models)
    why = f"run {options.run}, rank {rank} by {options.metric}"
    registered = registry.register_candidate(options.run, rank, name, by=options.by, why=why)
    log.info("registered %s, served by its %s", registered.name, candidate["served_by"])
    return TrainedModel(name=registered.name, **candidate)


def _default_name(model_type: str, run: str, taken: Container[str]) -> str:
    """`<ModelType>_<YYYYMMDD>_<HHMMSS>`; with the run's suffix if a run that began in the same second took that."""
    name = f"{model_type}_{run.split('-')[0]}"
    return f"{model_type}_{run}" if name in taken else name
