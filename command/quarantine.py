"""`zelador quarantine`: what was refused or set aside, in the Redis of the settings (ZELADOR_REDIS__URL)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from command.output import output, table, when
from command.terminal import print_json, say
from command.up.home import read_memory
from zelador.buffer import connect_redis
from zelador.errors import InvalidInput, Unavailable
from zelador.messages import iso
from zelador.printable import clean
from zelador.quarantine import Kind, Quarantine, Replay, described
from zelador.settings import RedisSettings, Settings, load_settings

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]
Home = Annotated[Path | None, typer.Option(help="The home of a running `zelador up`, instead of the settings' Redis.")]
OnlyKind = Annotated[str | None, typer.Option("--kind", help="refused or set_aside; without it, both.")]
All = Annotated[bool, typer.Option("--all", help="All that are there now.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of entries, as `list` shows them.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    before: Annotated[str | None, typer.Option(help="Go on below this id.")] = None,
    kind: OnlyKind = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """The newest first, each with the beginning of its payload."""
    page = _quarantine(_settings(home)).page(limit, before, _kind(kind))
    if as_json:
        print_json([described(kept) for kept in page])
        return
    if not page:
        say("nothing is in quarantine")
        return
    rows = [
        (
            kept.id,
            when(iso(kept.received_at)),
            kept.kind,
            clean(kept.topic),
            clean(kept.reason),
            clean(kept.payload[:60].decode("utf-8", "backslashreplace")),
        )
        for kept in page
    ]
    columns = ("id", "received", "kind", "topic", "reason", "payload")
    output().print(table(columns, rows, whole=("id", "received", "kind")))
    if len(page) == limit:
        say(f"more: --before {page[-1].id}")


@app.command()
def show(
    entry: str,
    raw: Annotated[
        bool, typer.Option("--raw", help="The payload's bytes to standard output, and nothing else.")
    ] = False,
    home: Home = None,
) -> None:
    """All that is known of one, as JSON; or its bytes."""
    kept = _quarantine(_settings(home)).get(entry)
    if raw and sys.stdout.isatty():
        raise InvalidInput("the raw bytes could steer this terminal; write them to a file: --raw > FILE")
    if raw:
        sys.stdout.buffer.write(kept.payload)
        sys.stdout.buffer.flush()
    else:
        print_json(described(kept), indent=2)


@app.command()
def replay(
    ids: Ids = None, everything: All = False, kind: OnlyKind = None, home: Home = None, as_json: Json = False
) -> None:
    """Take entries in again by the present settings; what still cannot be used stays where it is.

    Exit code 1 if one was left.
    """
    from operations.acts.quarantine import replay_many
    from operations.local import local_actor

    settings, chosen = _settings(home), _chosen(ids, everything)
    done: list[Replay] = []
    outcomes = replay_many(local_actor(settings), _quarantine(settings), chosen, _kind(kind), done.append)
    if as_json:
        print_json({"replayed": outcomes, "left": {each.id: each.reason for each in done if each.reason}})
    else:
        say(
            ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in outcomes.items())
            or "nothing to replay"
        )
        for each in done:
            if each.reason:
                say(f"{each.id}  {each.reason}")
    if any(each.reason for each in done):
        raise typer.Exit(1)


@app.command()
def discard(ids: Ids = None, everything: All = False, kind: OnlyKind = None, home: Home = None) -> None:
    """Remove entries for good; the ledger's counts stay as they are."""
    from operations.acts.quarantine import discard_many
    from operations.local import local_actor

    settings, chosen = _settings(home), _chosen(ids, everything)
    discarded = discard_many(local_actor(settings), _quarantine(settings), chosen, _kind(kind))
    say(f"{discarded} discarded")


def _settings(home: Path | None) -> Settings:
    settings: Settings = load_settings()
    if home is not None:
        url = read_memory(home, "up.json").get("redis")
        if url is None:
            raise Unavailable(f"no `zelador up` runs in {home}; start it, or leave --home out")
        settings = settings.model_copy(update={"redis": RedisSettings(**{**settings.redis.model_dump(), "url": url})})
    return settings


def _quarantine(settings: Settings) -> Quarantine:
    return Quarantine(connect_redis(settings.redis), settings)


def _chosen(ids: list[str] | None, everything: bool) -> list[str] | None:
    """None for all."""
    if bool(ids) == everything:
        raise InvalidInput("name the ids of entries (zelador quarantine list shows them), or say --all")
    return None if everything else ids


def _kind(given: str | None) -> Kind | None:
    if given is None or given in ("refused", "set_aside"):
        return given  # type: ignore[return-value]
    raise InvalidInput(f"--kind {given}: take refused or set_aside")
