"""`zelador data`: describes readings before training on them, and exports them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from command.archive import verified
from command.home import OfHome, settings_of
from command.output import output, table, when
from command.query_options import Classes, Devices, Features, From, LabelsAt, Source, To, asked_for, names, query_from
from command.table_columns import DeviceColumn, TimeColumn
from command.terminal import print_json, say
from zelador.errors import InvalidInput, Unavailable
from zelador.printable import clean, counted
from zelador.settings import Settings

if TYPE_CHECKING:
    from archive.dataset.description import Description
    from archive.dataset.load import Loaded

app = typer.Typer(no_args_is_help=True)
cache = typer.Typer(no_args_is_help=True)
app.add_typer(cache, name="cache", help="Data sets that were loaded in the last hour.")
ROWS_SHOWN = 10
Form = Literal["parquet", "csv"]

Table = Annotated[
    Path | None,
    typer.Option(
        "--csv", help="A table, or a folder of tables, instead: CSV in any dialect, JSON lines, Parquet or Arrow."
    ),
]
LabelColumn = Annotated[
    str | None, typer.Option("--label", help="With --csv: the column with the label. Default: label, if there is one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def data() -> None:
    """Describe readings before training on them, and export them."""


@app.command()
def describe(
    begin: From = None,
    end: To = None,
    devices: Devices = None,
    features: Features = None,
    classes: Classes = None,
    labels_at: LabelsAt = None,
    source: Source = None,
    csv: Table = None,
    label: LabelColumn = None,
    device: DeviceColumn = None,
    time: TimeColumn = None,
    home: OfHome = None,
    as_json: AsJson = False,
) -> None:
    """Show figures about the readings in the archive and the buffer, and what is odd about them."""
    import msgspec

    asked = asked_for(begin, end, devices, features, classes, labels_at, source)
    if csv is not None:
        loaded = _of_tables(csv, settings_of(home), label, features, device, time, asked)
    else:
        loaded = _of_stream(settings_of(home, "running"), asked)
    assert loaded.description is not None  # noqa: S101 - it was requested
    if as_json:
        from operations.views.datasets import shown

        print_json({**msgspec.to_builtins(loaded.description), "dataset": shown(loaded)})
        return
    show(loaded.description)
    took = f"loaded {loaded.age_s:.0f} s ago" if loaded.age_s is not None else f"loaded in {loaded.meta.seconds:g} s"
    say(f"to train on: {loaded.meta.rows} rows, digest {loaded.meta.digest[:12]}; {took}")
    for note in loaded.meta.notes:
        say(f"note: {clean(note)}")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    form: Annotated[Form | None, typer.Option("--format", help="parquet or csv. Default: by the file's name.")] = None,
    begin: From = None,
    end: To = None,
    devices: Devices = None,
    features: Features = None,
    classes: Classes = None,
    labels_at: LabelsAt = None,
    source: Source = None,
    home: OfHome = None,
    as_json: AsJson = False,
) -> None:
    """Write the readings in the archive and the buffer to a file, with their labels joined."""
    from archive.dataset.export import export as write
    from archive.dataset.load import archive_of
    from zelador.buffer import connect_redis

    by_name: dict[str, Form] = {".parquet": "parquet", ".csv": "csv"}
    kind = form or by_name.get(file.suffix.lower())
    if kind is None:
        raise InvalidInput(f"--format: {file} ends in neither .parquet nor .csv; give the format")
    settings = settings_of(home, "running")
    query = query_from(asked_for(begin, end, devices, features, classes, labels_at, source), settings)
    with connect_redis(settings.redis) as client:
        done = write(client, settings, query, archive_of(settings), file, kind)
    if as_json:
        print_json({"file": str(file), "rows": done.rows, "digest": done.digest, "query": done.query})
    else:
        say(f"{counted(done.rows, 'reading')} written to {file}, digest {done.digest[:12]}")
        for note in done.notes:
            say(f"note: {clean(note)}")


@app.command()
def verify(home: OfHome = None, as_json: AsJson = False) -> None:
    """Check every file of the archive, as `zelador archive verify` does."""
    verified(home, as_json)


@cache.command("list")
def list_cached(home: OfHome = None, as_json: AsJson = False) -> None:
    """List the loaded data sets, the newest first."""
    from operations.views.datasets import cached

    found = cached(settings_of(home))
    if as_json:
        print_json(found)
        return
    rows = [
        (each["id"], f"{each['age_s']:.0f} s", str(each["rows"]), f"{each['bytes'] / 1e6:.1f} MB", each["source"],
         clean(_asked(each["query"])))
        for each in found
    ]  # fmt: skip
    output().print(table(("id", ">age", ">rows", ">size", "source", "query"), rows, whole=("id",)))


@cache.command()
def drop(
    dataset: Annotated[str | None, typer.Argument(help="The data set's id. Default: all of them.")] = None,
    home: OfHome = None,
) -> None:
    """Remove a loaded data set. It is loaded again when it is needed."""
    from operations.acts import datasets as acts
    from operations.local import local_actor

    settings = settings_of(home)
    actor = local_actor(settings)
    if dataset is None:
        count = acts.drop_all(actor, settings)
    else:
        acts.drop(actor, settings, dataset)
        count = 1
    say(f"{count} loaded data sets removed")


def _of_stream(settings: Settings, asked: dict[str, object]) -> Loaded:
    import redis

    from archive.dataset.load import archive_of, load
    from operations.views.datasets import default_query
    from zelador.buffer import connect_redis

    query = query_from(default_query(settings) | asked, settings)
    try:
        with connect_redis(settings.redis) as client:
            return load(client, settings, query, archive_of(settings), described=True)
    except redis.RedisError as error:
        raise Unavailable(
            f"cannot read the readings in the buffer ({error}); use --home DIR of a running `zelador up`, or set "
            "ZELADOR_REDIS__URL"
        ) from None


def _of_tables(
    path: Path,
    settings: Settings,
    label: str | None,
    features: str | None,
    device: str | None,
    time: str | None,
    asked: dict[str, object],
) -> Loaded:
    from archive.dataset.load import load_tables
    from archive.dataset.tables import files_of
    from operations.views.datasets import default_query
    from zelador.table import Wanted, open_table

    if refused := next((option for option in ("labels_at", "source") if option in asked), None):
        raise InvalidInput(f"--{refused.replace('_', '-')} cannot be used with --csv")
    asked.pop("features", None)
    if label is None and all("label" in open_table(file).columns for file in files_of(path)):
        label = "label"
    wanted = Wanted(tuple(names(features, "--features")) or None, label, device=device, time=time, context=True)
    query = query_from(default_query(settings) | asked, settings)
    return load_tables(settings, path, wanted, query, described=True)


def _asked(query: dict[str, object]) -> str:
    shown = {name: value for name, value in query.items() if name in ("from", "to", "devices", "labels")}
    return ", ".join(f"{name} {' '.join(value) if isinstance(value, list) else value}" for name, value in shown.items())


def show(found: Description) -> None:
    if not found.rows:
        say("there are no readings")
        return
    every = "" if found.interval_s is None else f", one every {found.interval_s:g} s"
    of = f"{counted(found.rows, 'reading')} of {counted(found.devices, 'device')}"
    say(f"{of}, {when(found.begin)} to {when(found.end)}{every}")
    classes = ", ".join(f"{clean(label)} {count}" for label, count in found.classes.items())
    say(f"labels: {classes or 'none'}; {counted(found.unlabeled, 'reading has', 'readings have')} none")
    if found.gap_count:
        longest = found.gaps[0]
        say(
            f"{found.gap_count} gaps; the longest: {clean(longest.device)}, {longest.seconds:g} s from "
            f"{when(longest.begin)}"
        )
    rows = [
        (
            each.name, _number(each.lowest), _number(each.median), _number(each.highest), str(each.missing),
            str(each.out_of_range), _number(each.autocorrelation), str(each.block_rows),
        )
        for each in found.features
    ]  # fmt: skip
    heads = ("feature", ">lowest", ">median", ">highest", ">missing", ">outside", ">autocorrelation", ">block")
    output().print(table(heads, rows, whole=("feature",)))
    if len(found.by_device) > 1 and found.classes:
        labels = list(found.classes)[:ROWS_SHOWN]
        lines = [
            (clean(name), *(str(counts.get(label, 0)) for label in labels))
            for name, counts in list(found.by_device.items())[:ROWS_SHOWN]
        ]
        output().print(table(("device", *(f">{label}" for label in labels)), lines, whole=("device",)))
    for each in found.correlations[:3]:
        say(f"correlation of {each.one} and {each.other}: {each.r:+.2f}")
    if not found.findings:
        say("nothing odd was found")
    for finding in found.findings:
        say(f"{finding.kind}: {clean(finding.sentence)}; {clean(finding.advice)}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
