"""`zelador train`: run one training job."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, cast, get_args

import typer

from command.home import OfHome, settings_of
from command.models.target import Key, Url
from command.process import prepare
from command.query_options import From, LabelsAt, To, asked_for, naming_options
from command.run_table import show
from command.table_columns import DeviceColumn, TimeColumn
from command.terminal import print_json, say
from command.train_progress import Watched
from zelador.errors import InvalidInput
from zelador.settings import Metric, Settings
from zelador.table import Wanted
from zelador.user import user

if TYPE_CHECKING:
    from trainer.dataset import Dataset

METRICS: tuple[str, ...] = get_args(Metric)
MAX_PRINTED = 4_096  # bytes of what libraries printed, when a run fails


def train(
    csv: Annotated[
        Path | None,
        typer.Option(
            help="A table of labeled rows, or a folder of tables: CSV in any dialect, JSON lines, Parquet or Arrow, "
            "also compressed. Default: the labeled readings in the archive and the buffer."
        ),
    ] = None,
    label: Annotated[str, typer.Option(help="With --csv: the column with the label.")] = "label",
    features: Annotated[
        str | None,
        typer.Option(
            help="The feature columns, separated by commas. Default: ZELADOR_FEATURES; if nobody set it and the table "
            "lacks one of its defaults, all columns of numbers."
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Only rows with these labels, separated by commas. Default: all large enough.")
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(help="Only rows of these devices, separated by commas; also patterns (press-*). Default: all."),
    ] = None,
    begin: From = None,
    end: To = None,
    labels_at: LabelsAt = None,
    repeat: Annotated[
        str | None, typer.Option(help="Train on the readings and labels of this earlier run again, as they were then.")
    ] = None,
    device: DeviceColumn = None,
    time: TimeColumn = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The metric that ranks models: Accuracy, AUC, Recall, Precision, F1, Kappa, MCC or PR-AUC."),
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            help="The classifiers to compare: PyCaret ids, separated by commas, or all of them, also the slow ones, "
            "xgboost and catboost. Default: PyCaret's turbo mode."
        ),
    ] = None,
    include: Annotated[str | None, typer.Option(help="The same as --candidates, as PyCaret calls it.")] = None,
    exclude: Annotated[
        str | None, typer.Option(help="Classifiers that are not compared: PyCaret ids, separated by commas.")
    ] = None,
    tune: Annotated[
        float | None, typer.Option(help="Try settings of the best three for so many seconds, on the same folds.")
    ] = None,
    blend: Annotated[
        bool, typer.Option("--blend", help="Also try the mean of the probabilities of the best three.")
    ] = False,
    stack: Annotated[
        bool, typer.Option("--stack", help="Also try a model of the probabilities of the best three.")
    ] = False,
    balance: Annotated[
        bool, typer.Option("--balance", help="Repeat rows of rare classes in what a model is fitted on.")
    ] = False,
    budget: Annotated[
        float | None,
        typer.Option(help="Compare no further classifier after so many seconds; what is done by then counts."),
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Let PyCaret use a GPU where a classifier can.")] = False,
    split: Annotated[
        str | None,
        typer.Option(help="How rows are split to test models: auto, device, time or random. Default: auto."),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Of two classes, the one to find, such as the fault. Default: the rarer one."),
    ] = None,
    cost_missed: Annotated[
        float | None, typer.Option(help="Cost of a missed reading of the positive class. Default: 1.")
    ] = None,
    cost_false_alarm: Annotated[
        float | None, typer.Option(help="Cost of a false alarm, in the same unit. Default: 1.")
    ] = None,
    recall: Annotated[
        float | None, typer.Option(help="Instead of costs: the recall of the positive class to keep, such as 0.95.")
    ] = None,
    save: Annotated[
        str,
        typer.Option(
            help="Which of the best are registered: all, none, or ranks such as 1,3. `zelador models save` registers "
            "others later."
        ),
    ] = "all",
    names: Annotated[
        str | None,
        typer.Option(help="Names of the models that are registered, in the order of rank, separated by commas."),
    ] = None,
    notes: Annotated[str, typer.Option(help="Notes to store with the models.")] = "",
    home: OfHome = None,
    url: Url = None,
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Compare classifiers on labeled readings and register the best five, or those of --save.

    Selects no model, unless ZELADOR_TRAINING__PROMOTE says so.
    """
    if include is not None and candidates is not None:
        raise InvalidInput("--include and --candidates are the same; name one of them")
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
    register, called = _register(save), _names(names)
    if url is not None:
        from command.train_remote import train_remote

        refused = {"--home": home, "--csv": csv, "--repeat": repeat}
        if given := next((option for option, value in refused.items() if value is not None), None):
            raise InvalidInput(f"{given} cannot be used with --url: that machine trains on its own readings")
        wanted = asked_for(begin, end, devices, features, classes, labels_at)
        document = train_remote(url, key, asked, notes, register, called, wanted)
        if as_json:
            print_json(document)
        else:
            show(document)
        return
    settings, stop = prepare("train", for_a_person=True)
    settings = settings_of(home, settings=_with(settings, asked))
    from registry.registry import Registry
    from registry.run_document import new_run_id
    from trainer.run.job import train as run
    from trainer.run.kept import save_events
    from trainer.run.options import Options, aim_of, more_of
    from trainer.run.process import Child, RunFailed
    from trainer.run.recorder import Recorder

    wanted = asked_for(begin, end, devices, features, classes, labels_at)
    if csv is not None:
        dataset = _from_files(csv, settings, Wanted(_names(features) or None, label, device=device, time=time,
                                                    context=True), wanted)  # fmt: skip
    else:
        dataset = _from_stream(settings, wanted, repeat)
    registry = Registry.open(settings.registry)  # after the data: a command that fails before leaves no folder
    for note in dataset.notes:
        say(f"note: {note}", error=True)
    options = Options(
        run=new_run_id(),
        by=user(),
        metric=settings.training.metric,
        candidates=settings.training.candidates,
        names=called,
        notes=notes,
        register=register,
        split=settings.training.split,
        positive=settings.training.positive,
        aim=aim_of(settings.training, {}),
        more=more_of(settings.training, {}),
    )
    with tempfile.TemporaryFile() as printed, Watched(options.metric) as watched:
        recorder = Recorder(options.metric, watched.show, partial(save_events, registry, options.run))
        recorder.add("started", f"run {options.run}: {len(dataset.labels)} rows")
        child = Child(printed, settings.training.nice)
        try:
            document = run(dataset, settings, registry, options, stop, recorder, child)
        except RunFailed:
            _show_end(printed)
            raise
    if settings.training.promote == "better":
        from operations.local import local_actor
        from trainer.promotion import promote

        promote(document, registry, local_actor(settings), settings)
    if as_json:
        print_json(document)
    else:
        show(document)


def _show_end(printed: IO[bytes]) -> None:
    """Of what the libraries printed, the end, because it may say why a run failed."""
    size = printed.seek(0, 2)
    printed.seek(max(0, size - MAX_PRINTED))
    for line in printed.read().decode(errors="replace").splitlines():
        say(line, error=True)


def _with(settings: Settings, asked: Mapping[str, str | float | bool | None]) -> Settings:
    """The settings with what the options say instead. Raises InvalidInput, which names the option."""
    from trainer.run.candidates import check_candidates, check_excluded
    from zelador.settings import load_settings

    given = {name: value for name, value in asked.items() if value not in (None, "")}
    if (metric := given.get("metric")) is not None and metric not in METRICS:
        near = [name for name in METRICS if name.casefold() == str(metric).casefold()]
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InvalidInput(f"--metric: there is no metric {metric!r}{hint}; choose from {', '.join(METRICS)}")
    if candidates := given.get("candidates"):
        check_candidates(_names(str(candidates)), "--candidates")
    if exclude := given.get("exclude"):
        check_excluded(_names(str(given.get("candidates") or "")), _names(str(exclude)), "--exclude")
    try:
        return load_settings(training={**settings.training.model_dump(exclude_unset=True), **given})
    except InvalidInput as error:
        said = str(error)
        for name in given:
            option = name.removesuffix("_s").replace("_", "-")
            said = said.replace(f"ZELADOR_TRAINING__{name.upper()}", f"--{option}")
        raise InvalidInput(said) from None


def _register(save: str) -> bool | tuple[int, ...]:
    from command.models.save import ranks_of

    word = save.strip().casefold()
    return word == "all" if word in ("all", "none") else tuple(sorted(set(ranks_of(save, "--save"))))


def _names(given: str | None) -> tuple[str, ...]:
    """The names in an option. A column may have any name, such as `Lux (x10³)`."""
    return tuple(name.strip() for name in (given or "").split(",") if name.strip())


def _from_files(path: Path, settings: Settings, wanted: Wanted, asked: dict[str, object]) -> Dataset:
    from trainer.source import from_files, query_for

    if "labels_at" in asked:
        raise InvalidInput("--labels-at cannot be used with --csv: the labels are those of the table")
    asked.pop("features", None)
    with naming_options():
        query = query_for(settings, {"dataset": asked})
    return from_files(path, settings, wanted, query)


def _from_stream(settings: Settings, asked: dict[str, object], repeat: str | None) -> Dataset:
    import redis

    from registry.registry import Registry
    from trainer.source import from_stream, query_for, repeated
    from zelador.buffer import connect_redis

    if repeat is not None and asked:
        raise InvalidInput("--repeat takes all that the earlier run was asked for; leave out the other choices of rows")
    with naming_options():
        query = query_for(settings, {"dataset": asked})
    data: Mapping[str, object] = {}
    if repeat is not None:
        data = cast("Mapping[str, object]", Registry.existing(settings.registry).run(repeat).get("data", {}))
        query = repeated(data, settings)
    try:
        with connect_redis(settings.redis) as client:
            found = from_stream(client, settings, query)
    except redis.RedisError as error:
        raise InvalidInput(
            f"cannot read the readings in the buffer ({error}); use --home DIR of a running `zelador up`, "
            "set ZELADOR_REDIS__URL, or train with --csv FILE --label COLUMN"
        ) from None
    if repeat is not None and found.digest != data.get("digest"):
        say(f"note: not all readings of run {repeat} are there any more: the digest of the data differs", error=True)
    return found
