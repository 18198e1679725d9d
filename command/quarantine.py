"""`zelador quarantine`: lists, shows, replays and discards messages that were refused or set aside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from command.home import settings_of
from command.output import output, table, when
from command.terminal import print_json, say
from zelador.buffer import connect_redis
from zelador.errors import InvalidInput
from zelador.messages import iso
from zelador.printable import clean
from zelador.quarantine import Kind, Quarantine, Replay, described
from zelador.settings import Settings

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[
    Path | None,
    typer.Option(help="Use the Redis of this running home of `zelador up` instead of the one in the settings."),
]
OnlyKind = Annotated[str | None, typer.Option("--kind", help="Only this kind: refused or set_aside.")]
All = Annotated[bool, typer.Option("--all", help="All messages now in quarantine.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids of messages, as `list` shows them.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=500, help="The maximum number of messages.")] = 50,
    before: Annotated[str | None, typer.Option(help="Only messages older than this id.")] = None,
    kind: OnlyKind = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the messages in quarantine, newest first, each with the start of its payload."""
    page = _quarantine(settings_of(home, "running")).page(limit, before, _kind(kind))
    if as_json:
        print_json([described(message) for message in page])
        return
    if not page:
        say("quarantine is empty")
        return
    rows = [
        (
            message.id,
            when(iso(message.received_at)),
            message.kind,
            clean(message.topic),
            clean(message.reason),
            clean(message.payload[:60].decode("utf-8", "backslashreplace")),
        )
        for message in page
    ]
    columns = ("id", "received", "kind", "topic", "reason", "payload")
    output().print(table(columns, rows, whole=("id", "received", "kind")))
    if len(page) == limit:
        say(f"more: --before {page[-1].id}")


@app.command()
def show(
    entry: Annotated[str, typer.Argument(metavar="ID", help="The id of a message, as `list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write only the bytes of the payload.")] = False,
    home: Home = None,
) -> None:
    """Show one message as JSON, or the bytes of its payload."""
    message = _quarantine(settings_of(home, "running")).get(entry)
    if raw and sys.stdout.isatty():
        raise InvalidInput("raw bytes could control this terminal; write them to a file: --raw > FILE")
    if raw:
        sys.stdout.buffer.write(message.payload)
        sys.stdout.buffer.flush()
    else:
        print_json(described(message), indent=2)


@app.command()
def replay(
    ids: Ids = None, everything: All = False, kind: OnlyKind = None, home: Home = None, as_json: Json = False
) -> None:
    """Process messages again with the current settings. Those that still cannot be used stay in quarantine.

    Exit code 1 if one was left.
    """
    from operations.acts.quarantine import replay_many
    from operations.local import local_actor

    settings, chosen = settings_of(home, "running"), _chosen(ids, everything)
    quarantine, done = _quarantine(settings), list[Replay]()
    outcomes = replay_many(local_actor(settings), quarantine, chosen, _kind(kind), done.append)
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
    """Delete messages for good. The counts in the ledger do not change."""
    from operations.acts.quarantine import discard_many
    from operations.local import local_actor

    settings, chosen = settings_of(home, "running"), _chosen(ids, everything)
    quarantine = _quarantine(settings)
    discarded = discard_many(local_actor(settings), quarantine, chosen, _kind(kind))
    say(f"{discarded} discarded")


def _quarantine(settings: Settings) -> Quarantine:
    client = connect_redis(settings.redis)
    client.ping()  # without Redis, fails before an audit file is created
    return Quarantine(client, settings)


def _chosen(ids: list[str] | None, everything: bool) -> list[str] | None:
    """Returns the ids; None for all messages."""
    if bool(ids) == everything:
        raise InvalidInput("name the ids of messages (see zelador quarantine list), or use --all")
    return None if everything else ids


def _kind(given: str | None) -> Kind | None:
    if given is None or given in ("refused", "set_aside"):
        return given  # type: ignore[return-value]
    raise InvalidInput(f"--kind {given}: use refused or set_aside")
