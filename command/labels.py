"""`zelador labels`: lists, adds, undoes and imports labels of periods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import redis
import typer

from command.home import settings_of
from command.output import output, table, when
from command.terminal import print_json, say
from operations.views.labels import FindingView, ImportView, LabelFilter, LabelReader, ReadingTimes, findings_shown
from zelador.buffer import connect_redis
from zelador.errors import ZeladorError
from zelador.labels.book import LabelBook
from zelador.printable import clean, counted
from zelador.settings import Settings

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[
    Path | None,
    typer.Option(help="Use the Redis of this running home of `zelador up` instead of the one in the settings."),
]
FAULTS_SHOWN = 10


@app.command()
def add(
    device: Annotated[str, typer.Option(help="The device's id, as in the topic.")],
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Start of the period, such as 2026-11-24T14:00Z.")
    ],
    label: Annotated[str, typer.Option(help="The label of the device's readings.")],
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="End of the period, exclusive. Default: until further notice."),
    ] = None,
    note: Annotated[str, typer.Option(help="What you want to remember, such as a work order.")] = "",
    id_: Annotated[str | None, typer.Option("--id", help="An id of your own. Default: a digest of the label.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Label a period of a device. A time without a zone is in ZELADOR_TIME_ZONE."""
    from operations.acts import labels as acts
    from operations.local import local_actor
    from zelador.labels.moment import moment
    from zelador.labels.rules import Wish

    settings = settings_of(home, "running")
    start = moment(begin, settings, "--from")
    wish = Wish(device, start, None if end is None else moment(end, settings, "--to"), label, note, id_)
    book, reader = _opened(settings)
    done = acts.add(local_actor(settings), book, settings, wish, "command line", _classes(settings))
    (shown,) = reader.views([done.label])
    found = findings_shown(done.findings)
    if as_json:
        print_json({"label": shown, "findings": found})
        return
    say(f"label {shown['id']}: {shown['label']}, {counted(shown['readings'], 'reading')}")
    _say_findings(found)


@app.command("list")
def list_(
    device: Annotated[str | None, typer.Option(help="Only labels of this device.")] = None,
    undone: Annotated[bool, typer.Option("--all", help="Also labels that were undone.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="The maximum number of labels. Default: all.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the labels of periods, newest first."""
    _, reader = _opened(settings_of(home, "running"))
    found, total = reader.page(limit, 0, LabelFilter(device, undone=undone))
    if as_json:
        print_json(found)
        return
    if not found:
        say("no period was labeled yet")
        return
    rows = [
        (
            clean(each["id"]), clean(each["device"]), when(each["from"]), when(each["to"]) or "further notice",
            clean(each["label"]), str(each["readings"]), clean(each["by"]), each["source"],
            f"undone by {clean(each['undone_by'])}" if each["undone"] else clean(each["note"]),
        )
        for each in found
    ]  # fmt: skip
    columns = ("id", "device", "from", "to", "label", ">readings", "by", "source", "note")
    output().print(table(columns, rows, whole=("id", "device", "from", "to")))
    if len(found) < total:
        say(f"{total} labels; --limit shows more")


@app.command()
def undo(
    label: Annotated[str, typer.Argument(metavar="ID", help="The label's id.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Undo a label: it no longer counts, and stays in the list."""
    from operations.acts import labels as acts
    from operations.local import local_actor

    settings = settings_of(home, "running")
    book, reader = _opened(settings)
    acts.undo(local_actor(settings), book, label)
    if as_json:
        print_json(reader.one(label))
    else:
        say(f"label {clean(label)} is undone")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV in any dialect, JSON lines, Parquet or Arrow.")],
    columns: Annotated[
        str | None,
        typer.Option(
            help="Which column is what: device=asset,from=start,to=end,label=state,note=order,id=number. "
            "Default: guessed by their names."
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="The device of all rows.")] = None,
    label: Annotated[str | None, typer.Option(help="The label of all rows.")] = None,
    preview: Annotated[
        bool, typer.Option("--preview", "--dry-run", help="Change nothing; say what would be done.")
    ] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Leave out rows that cannot be labels.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Import a table of labels, such as work orders: all rows, or none. Labels that exist already do not change."""
    from operations.acts import labels as acts
    from operations.local import local_actor
    from zelador.labels.work_orders import named_columns, read_work_orders

    settings = settings_of(home, "running")
    orders = read_work_orders(file, settings, named_columns(columns), device, label)
    book, reader = _opened(settings)
    done = acts.import_table(
        local_actor(settings), book, settings, orders, preview=preview, skip=skip, classes=_classes(settings)
    )
    shown = reader.imported(done)
    if as_json:
        print_json(shown)
    else:
        _say_imported(shown)


def _opened(settings: Settings) -> tuple[LabelBook, LabelReader]:
    client: redis.Redis = connect_redis(settings.redis)
    from archive.dataset.touched import ArchivedCounts

    prefix = settings.redis.prefix
    book = LabelBook(client, prefix)
    return book, LabelReader(book.labels, ReadingTimes(client, prefix, ArchivedCounts(settings)))


def _classes(settings: Settings) -> tuple[str, ...]:
    """The classes of the live model; none if there is no registry yet."""
    from operations.views.plant import live_labels
    from registry.registry import Registry

    try:
        return live_labels(Registry.existing(settings.registry))
    except (ZeladorError, OSError):
        return ()


def _say_imported(shown: ImportView) -> None:
    for note in shown["notes"]:
        say(f"note: {note}")
    classes = ", ".join(f"{clean(label)} {count}" for label, count in shown["classes"].items())
    would = "would be added" if shown["preview"] else "added"
    of = f" ({classes})" if classes else ""
    say(f"{counted(shown['added'], 'label')} {would}{of}, {counted(shown['readings'], 'reading')}")
    if shown["known"]:
        say(f"{counted(shown['known'], 'row is', 'rows are')} already in the list")
    for fault in shown["faults"][:FAULTS_SHOWN]:
        say(f"line {fault['line']}: {clean(fault['reason'])}")
    if shown["refused"] > FAULTS_SHOWN:
        say(f"and {shown['refused'] - FAULTS_SHOWN} more rows that cannot be labels")
    if shown["refused"] and shown["preview"]:
        say("nothing would be imported with these rows; correct them, or leave them out with --skip")
    _say_findings(shown["findings"])


def _say_findings(found: list[FindingView]) -> None:
    for each in found:
        where = f"line {each['line']}: " if each["line"] is not None else ""
        say(f"note: {where}{clean(each['sentence'])}; {clean(each['advice'])}")
