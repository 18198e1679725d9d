"""`zelador train`: runs one training job, here or on another machine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from command import train_options as option
from command.home import OfHome, settings_of
from command.models.target import Key, Url
from command.process import prepare
from command.query_options import From, LabelsAt, To, asked_for
from command.query_options import names as listed
from command.run_table import show
from command.table_columns import DeviceColumn, TimeColumn
from command.terminal import print_json, say
from command.train_data import check_chosen, from_files, from_stream
from command.train_progress import Watched
from zelador.errors import InvalidInput
from zelador.model_metrics import METRICS
from zelador.settings import Settings
from zelador.table import Wanted
from zelador.user import user

if TYPE_CHECKING:
    from registry.run_document import RunDocument
    from trainer.dataset import Dataset
    from zelador.training_queue import RunRequest

MAX_PRINTED = 4_096  # bytes of what libraries printed, when a run fails
MAX_NOTES = 2_000  # characters, as over the API


def train(
    csv: option.Csv = None,
    label: option.Label = "label",
    features: option.Features = None,
    classes: option.Classes = None,
    devices: option.Devices = None,
    begin: From = None,
    end: To = None,
    labels_at: LabelsAt = None,
    repeat: option.Repeat = None,
    device: DeviceColumn = None,
    time: TimeColumn = None,
    metric: option.RankedBy = None,
    candidates: option.Candidates = None,
    include: option.Include = None,
    exclude: option.Exclude = None,
    tune: option.Tune = None,
    blend: option.Blend = False,
    stack: option.Stack = False,
    balance: option.Balance = False,
    budget: option.Budget = None,
    gpu: option.Gpu = False,
    split: option.Split = None,
    positive: option.Positive = None,
    cost_missed: option.CostMissed = None,
    cost_false_alarm: option.CostFalseAlarm = None,
    recall: option.Recall = None,
    save: option.Save = "all",
    names: option.Names = None,
    notes: option.Notes = "",
    home: OfHome = None,
    url: Url = None,
    key: Key = None,
    as_json: option.AsJson = False,
) -> None:
    """Compare classifiers on labeled readings and register the best five, or those of --save.

    Selects no model, unless ZELADOR_TRAINING__PROMOTE says so.
    """
    if include is not None and candidates is not None:
        raise InvalidInput("--include and --candidates are the same; name one of them")
    named_candidates = "--candidates" if include is None else "--include"
    listed(include if candidates is None else candidates, named_candidates)
    listed(exclude, "--exclude")
    if len(notes) > MAX_NOTES:
        raise InvalidInput(f"--notes: {len(notes)} characters; at most {MAX_NOTES} are stored")
    asked: dict[str, str | float | bool | None] = {
        "metric": metric,
        "candidates": include if candidates is None else candidates,
        "exclude": exclude,
        "tune_s": tune,
        "budget_s": budget,
        "blend": blend or None,
        "stack": stack or None,
        "balance": balance or None,
        "gpu": gpu or None,
        "split": split,
        "positive": positive,
        "cost_missed": cost_missed,
        "cost_false_alarm": cost_false_alarm,
        "recall": recall,
    }
    register, model_names = _register(save), tuple(listed(names, "--names"))
    rows = asked_for(begin, end, devices, features, classes, labels_at)
    if csv is None:
        _refuse("requires --csv", {"--label": None if label == "label" else label, "--device": device, "--time": time})
    else:
        _refuse("cannot be used with --csv: a table is not an earlier run", {"--repeat": repeat})
    if url is not None:
        from command.train_remote import train_remote

        why = "cannot be used with --url: that machine trains on its own readings"
        _refuse(why, {"--home": home, "--csv": csv, "--repeat": repeat})
        document = train_remote(url, key, asked, notes, register, model_names, rows)
    else:
        if key is not None:
            raise InvalidInput("--key requires --url, the address of the API")
        columns = Wanted(tuple(listed(features, "--features")) or None, label, device=device, time=time, context=True)
        document = _train_here(
            home, asked, named_candidates, rows, csv, columns, repeat, register, model_names, notes
        )  # fmt: skip
    if as_json:
        print_json(document)
    else:
        show(document)


def _train_here(
    home: Path | None,
    asked: Mapping[str, str | float | bool | None],
    named_candidates: str,
    rows: dict[str, object],
    csv: Path | None,
    columns: Wanted,
    repeat: str | None,
    register: bool | list[int],
    model_names: tuple[str, ...],
    notes: str,
) -> RunDocument:
    """Trains on this machine, and returns the run. `asked` are options of the training, `rows` the query."""
    settings, stop = prepare("train", for_a_person=True)
    settings = settings_of(home, settings=_settings_with(settings, asked, named_candidates))
    from operations.local import local_actor
    from registry.registry import Registry
    from registry.run_document import new_run_id
    from trainer.run.job import train as run
    from trainer.run.options import options_of
    from trainer.run.process import Child, RunFailed
    from trainer.run.recorded import recorded_by
    from trainer.run.recorder import Recorder
    from trainer.run.run_end import save_events

    dataset: Dataset = from_stream(settings, rows, repeat) if csv is None else from_files(csv, settings, columns, rows)
    check_chosen(dataset, rows)
    registry = Registry.open(settings.registry)  # after the data, so that a command that fails creates no folder
    for note in dataset.notes:
        say(f"note: {note}", error=True)
    asked_for_models: RunRequest = {"names": list(model_names), "notes": notes, "register": register}
    options = options_of(settings.training, asked_for_models, new_run_id(), user())
    with tempfile.TemporaryFile() as printed, Watched(options.metric) as watched:
        recorder = Recorder(options.metric, watched.show, partial(save_events, registry, options.run))
        recorder.add("started", f"run {options.run}: {len(dataset.labels)} rows")
        child = Child(printed, settings.training.nice)
        try:
            record = recorded_by(partial(local_actor, settings), stop, tries=1)  # a file, if Redis is away
            document = run(dataset, settings, registry, options, stop, recorder, child, record=record)
        except RunFailed:
            _show_end(printed)
            raise
    if settings.training.promote == "better":
        from trainer.promotion import promote

        promote(document, registry, local_actor(settings), settings)
    return document


def _show_end(printed: IO[bytes]) -> None:
    """Shows the end of what the libraries printed, because it may say why a run failed."""
    size = printed.seek(0, 2)
    printed.seek(max(0, size - MAX_PRINTED))
    for line in printed.read().decode(errors="replace").splitlines():
        say(line, error=True)


def _settings_with(
    settings: Settings, asked: Mapping[str, str | float | bool | None], named_candidates: str
) -> Settings:
    """Returns the settings, overridden by the options. Raises InvalidInput, which names the option."""
    from trainer.run.candidates import check_candidates, check_excluded
    from zelador.settings import load_settings

    given = {name: value for name, value in asked.items() if value not in (None, "")}
    if (metric := given.get("metric")) is not None and metric not in METRICS:
        near = [name for name in METRICS if name.casefold() == str(metric).casefold()]
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InvalidInput(f"--metric: there is no metric {metric!r}{hint}; choose from {', '.join(METRICS)}")
    if candidates := given.get("candidates"):
        check_candidates(listed(str(candidates), named_candidates), named_candidates)
    if exclude := given.get("exclude"):
        check_excluded(_names(candidates), _names(exclude), "--exclude")
    try:
        return load_settings(training={**settings.training.model_dump(exclude_unset=True), **given})
    except InvalidInput as error:
        said = str(error)
        for name in given:
            option = name.removesuffix("_s").replace("_", "-")
            said = said.replace(f"ZELADOR_TRAINING__{name.upper()}", f"--{option}")
        raise InvalidInput(said) from None


def _register(save: str) -> bool | list[int]:
    from command.models.save import ranks_of

    word = save.strip().casefold()
    return word == "all" if word in ("all", "none") else sorted(set(ranks_of(save, "--save")))


def _names(given: str | float | bool | None) -> list[str]:
    return [] if given is None else listed(str(given), "")


def _refuse(why: str, options: Mapping[str, object]) -> None:
    """Raises InvalidInput for the first of the options that was given."""
    if given := next((name for name, value in options.items() if value is not None), None):
        raise InvalidInput(f"{given} {why}")
