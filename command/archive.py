"""`zelador archive`: runs the archiver; lists and checks the archive's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from command.empty_folder import move_to_empty_folder
from command.home import OfHome, settings_of
from command.output import output, table
from command.process import prepare, quick_imports
from command.terminal import print_json, say
from zelador.printable import clean

if TYPE_CHECKING:
    from archive.archive import Archive

app = typer.Typer()
NICE = 10  # gives live classification priority; waiting readings are archived later
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def archive(context: typer.Context, home: OfHome = None) -> None:
    """Write readings and their predictions to Parquet files (ZELADOR_ARCHIVE__URL) until stopped.

    With ZELADOR_ARCHIVE__ENABLED=false, unregister the archive: Redis then keeps no readings for it.
    """
    context.obj = home
    if context.invoked_subcommand is not None:
        return
    settings, stop = prepare("archive", home=home)
    settings = move_to_empty_folder(settings)
    os.nice(NICE)
    with quick_imports():
        from archive.service import run

    run(settings, stop)


@app.command()
def status(context: typer.Context, home: OfHome = None, as_json: AsJson = False) -> None:
    """Show how much is archived, and in which files."""
    from zelador.messages import iso

    found = _opened(home or context.obj)
    snapshot = found.snapshot()
    readings, outcomes = snapshot.readings, snapshot.outcomes
    facts = {
        "archive": snapshot.archive,
        "where": found.url,
        "readings": snapshot.rows,
        "outcomes": sum(file.rows for file in outcomes),
        "files": len(readings) + len(outcomes),
        "bytes": sum(file.bytes for file in (*readings, *outcomes)),
        "begin": iso(min(file.begin for file in readings)) if readings else None,
        "end": iso(max(file.end for file in readings)) if readings else None,
        "last": snapshot.last,
        "entry": snapshot.seq,
    }
    if as_json:
        print_json(facts)
    elif not snapshot.seq:
        say(f"there is no archive in {found.url} yet")
    else:
        say(f"{facts['readings']} readings and {facts['outcomes']} predictions in {facts['files']} files")
        measured = f", measured {facts['begin']} to {facts['end']}" if readings else ""
        say(f"{facts['bytes']:,} bytes in {found.url}{measured}")


@app.command()
def files(context: typer.Context, home: OfHome = None, as_json: AsJson = False) -> None:
    """List the files of the archive, oldest first. Other files in its folder are unfinished, or were merged."""
    import msgspec

    found = _opened(home or context.obj)
    snapshot = found.snapshot()
    listed = [*snapshot.readings, *snapshot.outcomes]
    if as_json:
        print_json([{**msgspec.to_builtins(file), "where": found.where(file)} for file in listed])
        return
    rows = [(found.where(file), str(file.rows), str(file.bytes)) for file in listed]
    output().print(table(("file", ">rows", ">bytes"), rows, whole=("file",)))


@app.command()
def verify(context: typer.Context, home: OfHome = None, as_json: AsJson = False) -> None:
    """Check every file of the archive: digest, rows and keys. Exit code 1 if one is damaged; others stay readable."""
    verified(home or context.obj, as_json)


def verified(home: Path | None, as_json: bool) -> None:
    from archive.verify import verify as check

    found = _opened(home)
    report = check(found)
    if as_json:
        print_json(
            {
                "files": report.files,
                "readings": report.readings,
                "outcomes": report.outcomes,
                "damaged": [{"file": each.path, "where": each.where, "why": each.why} for each in report.damaged],
                "uncommitted": report.uncommitted,
            }
        )
    else:
        for each in report.damaged:
            say(f"{clean(each.where)}: {clean(each.why)}")
        say(f"{report.files} files with {report.readings} readings and {report.outcomes} predictions are intact")
        if report.uncommitted:
            say(f"{report.uncommitted} files do not count: unfinished, or merged; they are removed later")
    if report.damaged:
        raise typer.Exit(1)


def _opened(home: Path | None) -> Archive:
    from archive.archive import open_archive

    return open_archive(settings_of(home).archive)
