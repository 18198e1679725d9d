"""`zelador train`: run one training job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from zelador.settings import Settings
from zelador.user import user

if TYPE_CHECKING:
    from registry.run_document import RunDocument
    from trainer.dataset import Dataset


def train(
    csv: Annotated[
        Path | None, typer.Option(help="A CSV file of labeled rows. Default: the labeled readings in the buffer.")
    ] = None,
    label: Annotated[str, typer.Option(help="With --csv: the column with the label.")] = "label",
    features: Annotated[
        str | None, typer.Option(help="The feature columns, separated by commas. Default: ZELADOR_FEATURES.")
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
    settings, stop = prepare("train")
    settings = settings_of(home, settings=_with(settings, metric, candidates))
    names = _names(features) or settings.features
    from registry.registry import Registry
    from registry.run_document import new_run_id
    from trainer.run.job import Options
    from trainer.run.job import train as run

    registry = Registry.open(settings.registry)
    dataset = _dataset(settings, csv, label, names)
    options = Options(
        run=new_run_id(),
        by=user(),
        metric=settings.training.metric,
        candidates=settings.training.candidates,
        notes=notes,
    )
    console = Terminal(error=True)
    with console.status(Text(f"{len(dataset.labels)} rows: starting")) as status:

        def progress(message: str) -> None:
            status.update(Text(clean(message)))
            if not console.is_terminal:
                say(message, error=True)

        document = run(dataset, settings, registry, options, stop, progress)
    if as_json:
        print_json(document)
    else:
        show(document)


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
    from zelador.settings import load_settings

    training = settings.training.model_dump(exclude_unset=True)
    if metric:
        training["metric"] = metric
    if candidates:
        training["candidates"] = candidates
    return load_settings(training=training)


def _names(features: str | None) -> tuple[str, ...]:
    """The column names in `features`. A column may have any name, such as `Lux (x10³)`."""
    return tuple(name.strip() for name in (features or "").split(",") if name.strip())


def _dataset(settings: Settings, csv: Path | None, label: str, features: tuple[str, ...]) -> Dataset:
    from trainer.dataset import from_csv, from_readings

    limits = settings.training.max_rows, settings.training.seed
    if csv is not None:
        return from_csv(csv, features, label, *limits)
    import redis

    from zelador.buffer import connect_redis
    from zelador.buffer.history import labelled_readings

    wanted = settings.model_copy(update={"features": features})
    try:
        with connect_redis(settings.redis) as client:
            return from_readings(labelled_readings(client, wanted), features, *limits)
    except redis.RedisError as error:
        raise InvalidInput(
            f"cannot read the readings in the buffer ({error}); use --home DIR of a running `zelador up`, "
            "set ZELADOR_REDIS__URL, or train with --csv FILE --label COLUMN"
        ) from None
