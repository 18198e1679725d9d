"""A training run, from a data set to registered models. It does not select one."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from threading import Event

import msgspec
import numpy as np

from archive.dataset.fewest import DRAWN_HOLDOUT, FOLDS
from operations.acts.registry import counts_of
from operations.audit import Act
from registry.evaluation.scores import positive_of
from registry.names import check_new_names
from registry.registry import Registry
from registry.run_document import RunDocument, in_order
from registry.run_trainer import this_process
from trainer.compare.engines import check_engine
from trainer.compare.leaderboard import EVERY
from trainer.compare.tune import MAX_TUNED
from trainer.dataset import Dataset, check
from trainer.evaluate.holdout import DRAWN, EMBARGO, LATER, NEW_DEVICE
from trainer.evaluate.known import Known
from trainer.evaluate.order import Order, order_of
from trainer.evaluate.split import codes_of, split
from trainer.evaluate.split_parts import Split
from trainer.run import request, session
from trainer.run.candidates import check_candidates, check_excluded
from trainer.run.options import Options, as_request
from trainer.run.process import Cancelled, Child, Control, RunFailed
from trainer.run.recorded import Record, not_recorded
from trainer.run.recorder import Recorder
from trainer.run.register import register
from trainer.run.request import Request, RunFacts
from trainer.run.run_end import end_killed, save_events
from trainer.run.split_facts import split_facts
from zelador.classifiers import MODEL_TYPES
from zelador.clock import now_iso
from zelador.errors import InvalidInput, ZeladorError
from zelador.printable import counted
from zelador.settings import Settings
from zelador.training_queue.stage import REGISTERING

log = logging.getLogger(__name__)


def train(
    dataset: Dataset,
    settings: Settings,
    registry: Registry,
    options: Options,
    stop: Event,
    recorder: Recorder | None = None,
    child: Child | None = None,
    control: Control | None = None,
    record: Record = not_recorded,
) -> RunDocument:
    """Trains, and returns the run's document with its leaderboard and models.

    `child` may have been started earlier; it is ended here. `stop` is used only without `control`, which has its own.
    `record` gets the models that are registered, for the audit log.

    Raises InvalidInput if the data or an option cannot be used; DuplicateName; RunFailed; Cancelled; Unavailable if
    `stop` is set or the registry fails.
    """
    training = settings.training
    recorder, control = recorder or Recorder(options.metric), control or Control(stop)
    recorder.add("loaded", f"{len(dataset.labels)} rows of {len(set(dataset.labels))} classes from {dataset.source}")
    check(dataset, training.folds or FOLDS, training.holdout or DRAWN_HOLDOUT)
    most = _keep_count(settings, options)
    _check_options(options, registry, dataset, most)
    if training.parallel is not None:
        check_engine(training.parallel)
    known = known_of(dataset)
    plan = split(known, options.split, training.folds, training.holdout, training.seed)
    recorder.add("split", _split_sentence(plan))
    document: RunDocument = {
        "run": options.run,
        "by": options.by,
        "metric": options.metric,
        "notes": options.notes,
        "request": as_request(options),
        "started_at": recorder.kept[0].at if recorder.kept else now_iso(),
        "rows": len(dataset.labels),
        "data": dataset.facts(),
        "features": list(dataset.features),
        "split": split_facts(dataset, known, plan),
        "state": "running",
        "trainer": this_process(training.timeout_s),
    }
    end_killed(registry)
    registry.put_run(options.run, document)  # a registry that cannot be written fails the run now, not at its end
    started = time.perf_counter()
    try:
        # The child ends before its folder is removed.
        with (
            tempfile.TemporaryDirectory(prefix="zelador-run-", ignore_cleanup_errors=True) as name,
            child or Child(nice=training.nice) as worker,
        ):
            folder = Path(name)
            asked = request_of(dataset, settings, options, plan, _write_live_model(folder, registry))
            request.write(folder, asked, dataset.rows, plan, known.devices, known.times)
            registry.put_run_file(options.run, "split.json", _split_file(plan))
            extra = options.more
            recorder.plan(options.candidates or (), plan.folds_by != "row", extra.tune_s, extra.budget_s)
            recorder.add("step", "preparing the classifiers")  # seconds pass before the first one starts
            result = session.run(folder, worker, control, training.timeout_s, recorder)
            document["leaderboard"] = result.leaderboard
            document["positive"] = result.positive
            document["verdict"] = result.verdict
            document["reference"] = result.reference
            document["split"]["notes"] += result.notes
            if not result.candidates:
                reasons = "; ".join(f"{row['model_type']}: {row['trouble']}" for row in result.leaderboard)
                raise RunFailed(f"no candidate could be used ({reasons}); name others, or check the data")
            if len(result.candidates) < most:
                recorder.add("step", f"only {len(result.candidates)} of {most} candidates could be used")
            if control.cancelled.is_set():  # while the last result was read
                raise Cancelled("the run was cancelled")
            recorder.add("step", REGISTERING)
            models = register(folder, registry, options, result.candidates, record)
    except BaseException as error:
        _note_failure(registry, document, recorder, error)
        raise
    document["state"] = "done"
    document.pop("trainer", None)
    document["ended_at"] = now_iso()
    document["seconds"] = {**result.seconds, "total": round(time.perf_counter() - started, 1)}
    document["classes"] = result.classes
    document["train_rows"] = result.train_rows
    document["holdout_rows"] = int(plan.holdout.sum())
    document["models"] = models
    registry.put_run(options.run, document)
    save_events(registry, options.run, recorder.kept)
    _collect(registry, record)
    return in_order(document)


def _check_options(options: Options, registry: Registry, dataset: Dataset, most: int) -> None:
    """Checks the options before the run starts. Raises InvalidInput, DuplicateName."""
    check_candidates(options.candidates or ())
    check_excluded(options.candidates, options.more.exclude)
    check_new_names(options.names, registry.sync().models)
    chosen = options.register if isinstance(options.register, tuple) else tuple(range(1, most + 1))
    if bad := [rank for rank in chosen if not 1 <= rank <= most]:
        raise InvalidInput(f"there is no rank {bad[0]}: this run keeps the best {most} (ZELADOR_TRAINING__KEEP)")
    if len(options.names) > (count := len(chosen) if options.register else 0):
        raise InvalidInput(f"there are {len(options.names)} names, but only {count} models will be registered")
    classes = dataset.classes
    positive_of(codes_of(dataset.labels)[0], classes, options.positive)
    options.aim.check(len(classes))


def _split_sentence(plan: Split) -> str:
    folds = {"device": "whole devices", "block": "blocks of time", "row": "rows drawn at random"}[plan.folds_by]
    held = int(plan.holdout.sum())
    return f"{counted(plan.folds, 'fold')} by {folds}; " + (
        f"{counted(held, 'row')} held out" if held else "no separate hold-out"
    )


def _collect(registry: Registry, record: Record) -> None:
    """Collects the registry's garbage. Runs are rare and long, so the time does not matter."""
    try:
        found = registry.collect(by="trainer")
        if found.removed or found.runs or found.condemned:
            record(Act.REGISTRY_COLLECTED, "registry", counts_of(found))
    except (ZeladorError, OSError) as error:
        log.warning("deleted files stay in the registry until the next run: %s", error)


def _note_failure(registry: Registry, document: RunDocument, recorder: Recorder, error: BaseException) -> None:
    """Stores the failed run, with the candidates that it had compared.

    An error of the registry is only logged, so that it does not hide why the run failed.
    """
    document["state"] = "cancelled" if isinstance(error, Cancelled) else "failed"
    document["error"] = str(error)
    document.pop("trainer", None)
    document["ended_at"] = now_iso()
    if recorder.rows and "leaderboard" not in document:
        document["leaderboard"] = recorder.leaderboard()
    try:
        registry.put_run(document["run"], document)
        save_events(registry, document["run"], recorder.kept)
    except (ZeladorError, OSError) as trouble:
        log.warning("the failure of run %s could not be written to the registry: %s", document["run"], trouble)


def known_of(dataset: Dataset) -> Known:
    labels, classes = codes_of(dataset.labels)
    devices, names = (None, ()) if dataset.devices is None else codes_of(dataset.devices)
    order: Order = "none"
    times = dataset.times
    if times is None and len(names) < 2:
        order = order_of(dataset.rows, labels)
        times = np.arange(len(labels), dtype=np.int64) if order == "time" else None
    return Known(dataset.rows, labels, classes, devices, names, times, dataset.features, order)


def _split_file(plan: Split) -> bytes:
    """Returns split.json, which says where each row is tested: the number of its fold, or one of `marks`."""
    marks = {"new_device": NEW_DEVICE, "later": LATER, "holdout": DRAWN, "embargo": EMBARGO}
    return msgspec.json.encode({"marks": marks, "tested": plan.tested.tolist(), "stretch": plan.units.tolist()})


def _write_live_model(folder: Path, registry: Registry) -> tuple[str, str] | None:
    """Writes the selected model's files into the run's folder, and returns its name and digest.

    Returns None if no model is selected, or if its files cannot be read.
    """
    selection = registry.state.selection
    if selection is None:
        return None
    try:
        saved, digest, files = registry.serving(selection.model)
    except (ZeladorError, OSError) as error:
        log.warning("the live model %s is not compared: %s", selection.model, error)
        return None
    request.write_live(folder, saved, files)
    return selection.model, digest


def request_of(
    dataset: Dataset, settings: Settings, options: Options, plan: Split, live: tuple[str, str] | None
) -> Request:
    training = settings.training
    return Request(
        features=dataset.features,
        units={name: settings.field(name).unit for name in dataset.features},
        labels=dataset.labels,
        metric=options.metric,
        positive=options.positive,
        missed=options.aim.missed,
        false_alarm=options.aim.false_alarm,
        recall=options.aim.recall,
        folds=plan.folds,
        folds_by=plan.folds_by,
        alone=plan.alone,
        keep=_keep_count(settings, options),
        seed=training.seed,
        candidates=options.candidates or None,
        more=options.more,
        parallel=training.parallel,
        parallel_address=training.parallel_address,
        metadata=RunFacts(
            metric=options.metric, run=options.run, data=dataset.facts(), description=options.notes, tags=[]
        ),
        unsure=plan.unsure,
        devices=() if dataset.devices is None else codes_of(dataset.devices)[1],
        live=None if live is None else live[0],
        live_digest="" if live is None else live[1],
    )


def _keep_count(settings: Settings, options: Options) -> int:
    """Returns how many candidates are kept: the setting, or fewer if fewer were requested."""
    more, asked = options.more, set(options.candidates or MODEL_TYPES)
    plain = len((set(MODEL_TYPES) if asked == {EVERY} else asked) - set(more.exclude))
    made = more.blend + more.stack + (0 if more.tune_s is None else min(MAX_TUNED, plain))
    return min(settings.training.keep, plain + made)
