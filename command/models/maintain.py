"""`zelador models verify`, `accept`, `collect`, `trust`: maintains a registry on the machine that has its files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from msgspec import to_builtins

from command.home import settings_of
from command.models.target import Home, Json, open_local
from command.output import output, table
from command.terminal import print_json, say
from zelador.settings import RedisSettings

NO_ETAG = "none"


def verify(
    expect: Annotated[
        str | None,
        typer.Option(help="An earlier ETag that the log has to contain, or none for any log, such as a backup."),
    ] = None,
    files_only: Annotated[bool, typer.Option("--files-only", help="Load no model: check only log and files.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Verify the whole registry: the chain of the log, the digests of all files, checkpoints and registry.json.

    Each model is loaded in a process with limits, and has to answer its golden rows.

    Unless --expect is given, the log has to contain the entry that the services saw last, according to Redis. Exit code
    1 if it found a fault.
    """
    settings = settings_of(home)
    etag, known = _expected(expect, settings.redis)
    from registry.registry import Registry

    report = Registry.existing(settings.registry).verify(etag, ask=not files_only)
    if as_json:
        print_json({**asdict(report), "whole": report.whole, "expected": etag, "expected_from": known})
    else:
        if report.findings:
            rows = [("fault" if found.fault else "note", found.where, found.what) for found in report.findings]
            output().print(table(("", "where", "what"), rows, whole=("",)))
        state = "intact" if report.whole else "NOT intact"
        say(
            f"{state}: {report.entries} entries, {report.models} models, {report.files} files with their digests, "
            f"{report.asked} models answered; ETag {report.etag}"
        )
        say(f"checked for {etag}, {known}" if etag else f"checked for no earlier ETag: {known}")
    if not report.whole:
        raise typer.Exit(1)


def accept(
    why: Annotated[str, typer.Option(help="The reason, kept in the audit log and shown by the services.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Confirm that the registry was restored or replaced on purpose, so that the services use it.

    Check it first: `zelador models verify --expect none`. Running services use it within half a minute
    (ZELADOR_REGISTRY__CHECK_S).
    """
    from operations.acts.registry import accept as accepted
    from operations.local import local_actor
    from registry.registry import Registry

    settings = settings_of(home)
    Registry.existing(settings.registry)  # refuse a mistyped path before anything is written
    before, after = accepted(local_actor(settings), settings, why)
    if as_json:
        print_json({"before": before and to_builtins(before), "after": to_builtins(after)})
        return
    earlier = f"entry {before.seq} ({before.etag})" if before is not None else "unknown"
    say(f"accepted entry {after.seq} ({after.etag}); the services last saw: {earlier}")


def collect(
    grace: Annotated[
        float | None, typer.Option(min=0, help="The grace period in seconds. Default: ZELADOR_REGISTRY__GRACE_S.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Delete the files of deleted models, abandoned uploads and old training runs.

    The grace period has to be longer than a copy of the folder or a save takes; a shorter one can delete files that a
    copy or save needs.
    """
    from operations.acts.registry import collect as collected

    local = open_local(home, "change")
    found = collected(local.actor, local.registry, grace)
    if as_json:
        print_json(asdict(found))
        return
    say(
        f"deleted: {len(found.removed)} uploads, {len(found.runs)} training runs; "
        f"marked for deletion after the grace period: {len(found.condemned)}"
    )


def trust(
    why: Annotated[str, typer.Option(help="The reason, kept in the log.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Trust an unsigned log: add one entry, signed with ZELADOR_REGISTRY__SIGNING_KEY, that vouches for all before it.

    Check the log first: `zelador models verify` without the key.
    """
    from operations.acts.registry import trust as vouch
    from operations.local import local_actor
    from registry.registry import Registry

    settings = settings_of(home)
    Registry.check_trustable(settings.registry)  # refuse a mistyped path before anything is written
    entry = vouch(local_actor(settings), settings.registry, why)
    if as_json:
        print_json({"trusted": entry})
    else:
        say(f"entries 1 to {entry} are trusted")


def _expected(expect: str | None, redis: RedisSettings) -> tuple[str | None, str]:
    """Returns the ETag that the log must contain and its source, or None and why. Fast even if Redis is down."""
    if expect is not None:
        return (None, "from --expect") if expect == NO_ETAG else (expect, "from --expect")
    from registry.restored.last_seen import ask

    seen, unknown = ask(redis)
    if seen is None:
        return None, str(unknown)
    return seen.etag, f"entry {seen.seq}, which {seen.by} saw at {seen.at}, according to Redis"
