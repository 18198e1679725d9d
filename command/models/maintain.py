"""`zelador models verify`, `accept`, `collect`, `trust`: the registry as a whole, on the machine that has its files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from msgspec import to_builtins

from command.models.target import Home, Json, open_local, settings_of
from command.output import output, table
from command.terminal import print_json, say
from zelador.settings import RedisSettings

NONE = "none"


def verify(
    expect: Annotated[
        str | None,
        typer.Option(help="An ETag seen before, which must be in the chain; none: any chain, as of a backup."),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read everything: the chain of the log, every model's files and digests, checkpoints, registry.json.

    Without --expect the entry that the services saw last, which Redis has, must be in the chain. Exit code 1 when
    something must be done.
    """
    settings = settings_of(home)
    etag, known = _expected(expect, settings.redis)
    from registry.registry import Registry

    report = Registry.existing(settings.registry).verify(etag)
    if as_json:
        print_json({**asdict(report), "whole": report.whole, "expected": etag, "expected_from": known})
    else:
        if report.findings:
            rows = [("fault" if found.fault else "note", found.where, found.what) for found in report.findings]
            output().print(table(("", "where", "what"), rows, whole=("",)))
        state = "whole" if report.whole else "NOT whole"
        say(
            f"{state}: {report.entries} entries, {report.models} models, {report.files} files with their digests; "
            f"ETag {report.etag}"
        )
        say(f"looked for {etag}, {known}" if etag else f"looked for no earlier ETag: {known}")
    if not report.whole:
        raise typer.Exit(1)


def accept(
    why: Annotated[str, typer.Option(help="Kept in the audit file, and shown by the services.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say that the registry was restored, or another put in its place, on purpose: services go on with what is there.

    Look at it first: `zelador models verify --expect none`. Services that run take it up within half a minute
    (ZELADOR_REGISTRY__CHECK_S).
    """
    from operations.acts.registry import accept as accepted
    from operations.local import local_actor
    from registry.registry import Registry

    settings = settings_of(home)
    Registry.existing(settings.registry)  # a mistyped path is refused before anything is written
    before, after = accepted(local_actor(settings), settings, why)
    if as_json:
        print_json({"before": before and to_builtins(before), "after": to_builtins(after)})
        return
    earlier = f"entry {before.seq} ({before.etag})" if before is not None else "nothing that is known"
    say(f"accepted: entry {after.seq} ({after.etag}); what the services had seen last: {earlier}")


def collect(
    grace: Annotated[float | None, typer.Option(min=0, help="Seconds; without it, ZELADOR_REGISTRY__GRACE_S.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Free the space of deleted models, of uploads that came to nothing, and of old training runs.

    A grace shorter than a copy of the folder takes, or a save, can break that copy or that save.
    """
    from operations.acts.registry import collect as collected

    local = open_local(home, "change")
    found = collected(local.actor, local.registry, grace)
    if as_json:
        print_json(asdict(found))
        return
    say(
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
    from operations.acts.registry import trust as vouch
    from operations.local import local_actor

    settings = settings_of(home)
    entry = vouch(local_actor(settings), settings.registry, why)
    if as_json:
        print_json({"trusted": entry})
    else:
        say(f"entries 1 to {entry} are vouched for")


def _expected(expect: str | None, redis: RedisSettings) -> tuple[str | None, str]:
    """The ETag that must be in the chain, and where it is from, or why there is none. Quick without a Redis."""
    if expect is not None:
        return (None, "as --expect says") if expect == NONE else (expect, "as --expect says")
    from registry.restored.last_seen import ask

    seen, unknown = ask(redis)
    if seen is None:
        return None, str(unknown)
    return seen.etag, f"entry {seen.seq}, which {seen.by} saw at {seen.at}, as Redis has it"
