"""`zelador models verify`, `collect`, `trust`: the registry as a whole, on the machine that has its files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zelador.cli.models.place import Home, Json, open_local, registry_settings
from zelador.cli.tables import output, print_json, table
from zelador.user import user


def verify(
    expect: Annotated[str | None, typer.Option(help="An ETag seen before, which must be in the chain.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read everything: the chain of the log, every model's files and digests, checkpoints, registry.json.

    Exit code 1 when something must be done.
    """
    report = open_local(home).registry.verify(expect)
    if as_json:
        print_json({**asdict(report), "whole": report.whole})
    else:
        if report.findings:
            rows = [("fault" if found.fault else "note", found.where, found.what) for found in report.findings]
            output().print(table(("", "where", "what"), rows, whole=("",)))
        state = "whole" if report.whole else "NOT whole"
        print(
            f"{state}: {report.entries} entries, {report.models} models, {report.files} files with their digests; "
            f"ETag {report.etag}"
        )
    if not report.whole:
        raise typer.Exit(1)


def collect(
    grace: Annotated[float | None, typer.Option(min=0, help="Seconds; without it, ZELADOR_REGISTRY__GRACE_S.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Free the space of deleted models, of uploads that came to nothing, and of old training runs.

    A grace shorter than a copy of the folder takes, or a save, can break that copy or that save.
    """
    found = open_local(home).registry.collect(by=user(), grace_s=grace)
    if as_json:
        print_json(asdict(found))
        return
    print(
        f"removed: {len(found.removed)} (uploads), {len(found.runs)} (training runs); "
        f"condemned, to go after the grace: {len(found.condemned)}"
    )


def trust(
    why: Annotated[str, typer.Option(help="Kept in the log.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Vouch once, with ZELADOR_REGISTRY__SIGNING_KEY, for a log that was written before there was a key.

    Look at it first: `zelador models verify` without the key. It is believed from then on.
    """
    from registry.registry import Registry

    entry = Registry.trust(registry_settings(home), by=user(), why=why)
    if as_json:
        print_json({"trusted": entry})
    else:
        print(f"entries 1 to {entry} are vouched for")
