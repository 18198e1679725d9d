"""`zelador train`: run one training job."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, get_args

import typer
from rich.table import Table
from rich.text import Text

from command.home import OfHome, settings_of
from command.models.target import Key, Url
from command.output import output
from command.process import prepare
from command.terminal import Terminal, print_json, say
from zelador.errors import InvalidInput
from zelador.printable import clean
from zelador.settings import Metric, Settings
from zelador.user import user

if TYPE_CHECKING:
    from registry.run_document import RunDocument
    from trainer.dataset import Choice, Dataset

METRICS: tuple[str, ...] = get_args(Metric)
MAX_PRINTED = 4_096  # bytes of what libraries printed, when a run fails


def train(
    csv: Annotated[
        Path | None,
        typer.Option(
            help="A table of labeled rows: CSV in any dialect, JSON lines, Parquet or Arrow, also compressed. Default: "
            "the labeled readings in the buffer."
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
        str | None, typer.Option(help="Only rows of these devices, separated by commas. Default: all.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="With --csv: the column with the device; `none` for none. Default: guessed by its name."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="With --csv: the column with the time; `row` for the order of the rows, `none` for none. "
            "Default: guessed."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The metric that ranks models: Accuracy, AUC, Recall, Precision, F1, Kappa or MCC."),
    ] = None,
    candidates: Annotated[
        str | None, typer.Option(help="The classifiers to compare: PyCaret ids, separated by commas. Default: all.")
    ] = None,
    notes: Annotated[str, typer.Option(help="Notes to store with the models.")] = "",
    home: OfHome = None,
    url: Url = None,
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Compare classifiers on labeled readings and register the best five. Selects no model."""
    if url is not None:
        from command.train_remote import train_remote

        refused = {"--home": home, "--csv": csv, "--features": features}
        if given := next((option for option, value in refused.items() if value is not None), None):
            raise InvalidInput(f"{given} cannot be used with --url: that machine trains on its own readings")
        document = train_remote(url, key, metric, candidates, notes)
        if as_json:
            print_json(document)
        else:
            show(document)
        return
    settings, stop = prepare("train", for_a_person=True)
    settings = settings_of(home, settings=_with(settings, metric, candidates))
    from registry.registry import Registry
    from registry.run_document import new_run_id
    from trainer.dataset import Choice
    from trainer.run.job import Options
    from trainer.run.job import train as run
    from trainer.run.process import Child, RunFailed

    choice = Choice.of(settings, _names(classes), _names(devices))
    if csv is not None:
        from trainer.dataset import from_table
        from zelador.table import Wanted

        wanted = Wanted(_names(features) or None, label, device=device, time=time, context=True)
        dataset = from_table(csv, settings, wanted, choice)
    else:
        dataset = _from_buffer(settings, _names(features) or settings.features, choice)
    registry = Registry.open(settings.registry)  # after the data: a command that fails before leaves no folder
    for note in dataset.notes:
        say(f"note: {note}", error=True)
    options = Options(
        run=new_run_id(),
        by=user(),
        metric=settings.training.metric,
        candidates=settings.training.candidates,
        notes=notes,
    )
    console = Terminal(error=True)
    with (
        tempfile.TemporaryFile() as printed,
        console.status(Text(f"{len(dataset.labels)} rows: starting")) as status,
    ):

        def progress(message: str) -> None:
            status.update(Text(clean(message)))
            if not console.is_terminal:
                say(message, error=True)

        try:
            document = run(dataset, settings, registry, options, stop, progress, Child(printed))
        except RunFailed:
            _show_end(printed)
            raise
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


def show(document: RunDocument) -> None:
    console = output()
    table = Table(title=f"Run {document['run']}: {document['rows']} rows, best by {document['metric']}", box=None)
    table.add_column("rank", justify="right")
    table.add_column("model", no_wrap=True)
    for part in ("folds", "hold-out"):
        table.add_column(f"{document['metric']}, {part}", justify="right")
    table.add_column("served by")
    for model in document["models"]:
        scores = [part.get(document["metric"]) for part in (model["metrics"], model["holdout"])]
        shown = ["–" if score is None else f"{score:.4f}" for score in scores]
        table.add_row(str(model["rank"]), model["name"] or "", *shown, model["served_by"])
    console.print(table)
    console.print("\nTo use a model: zelador models select NAME")


def _with(settings: Settings, metric: str | None, candidates: str | None) -> Settings:
    """Raises InvalidInput, which names the option."""
    from trainer.run.candidates import check_candidates
    from zelador.settings import load_settings

    training = settings.training.model_dump(exclude_unset=True)
    if metric:
        if metric not in METRICS:
            near = [name for name in METRICS if name.casefold() == metric.casefold()]
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise InvalidInput(f"--metric: there is no metric {metric!r}{hint}; choose from {', '.join(METRICS)}")
        training["metric"] = metric
    if candidates:
        check_candidates(_names(candidates), "--candidates")
        training["candidates"] = candidates
    return load_settings(training=training)


def _names(given: str | None) -> tuple[str, ...]:
    """The names in an option. A column may have any name, such as `Lux (x10³)`."""
    return tuple(name.strip() for name in (given or "").split(",") if name.strip())


def _from_buffer(settings: Settings, features: tuple[str, ...], choice: Choice) -> Dataset:
    import redis

    from trainer.dataset import from_readings
    from zelador.buffer import connect_redis
    from zelador.buffer.history import labelled_readings
    from zelador.ranges import Ranges

    wanted = settings.model_copy(update={"features": features})
    lacking: Counter[str] = Counter()
    try:
        with connect_redis(settings.redis) as client:
            readings = labelled_readings(client, wanted, lacking)
            return from_readings(readings, features, choice, Ranges.of(settings, features), lacking)
    except redis.RedisError as error:
        raise InvalidInput(
            f"cannot read the readings in the buffer ({error}); use --home DIR of a running `zelador up`, "
            "set ZELADOR_REDIS__URL, or train with --csv FILE --label COLUMN"
        ) from None
