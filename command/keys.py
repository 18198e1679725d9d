"""`zelador keys`: manages the keys of the admin API. Edits the key file; a running API applies changes at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from command.home import settings_of
from command.output import output, table
from command.terminal import print_json, say
from zelador.errors import InvalidInput, NotFound
from zelador.printable import clean
from zelador.settings import Settings

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[
    Path | None, typer.Option(help="Use the key file of this home of `zelador up` instead of the one in the settings.")
]
UNITS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 7 * 86_400.0, "y": 365 * 86_400.0}


@app.callback()
def keys() -> None:
    """Manage the keys of the admin API."""


@app.command("new")
def new(
    role: Annotated[
        str, typer.Option(help="viewer: read and classify; operator: also make changes; admin: everything.")
    ] = "admin",
    expires: Annotated[
        str | None, typer.Option(help="How long the key is valid, such as 30m, 12h, 90d, 4w or 1y. Default: no expiry.")
    ] = None,
    note: Annotated[str, typer.Option(help="A note, shown by `list`.")] = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Create a key. It is shown once; only its digest is stored."""
    from operations.acts.keys import make
    from operations.key_file import ROLES, forget
    from operations.local import file_actor

    known = next((each for each in ROLES if each == role), None)
    if known is None:
        raise InvalidInput(f"--role {role}: use one of {', '.join(ROLES)}")
    lasts_s = None if expires is None else _seconds(expires)
    settings = settings_of(home, "keys")
    path = settings.api.keys_file
    record, key = make(file_actor(settings), path, known, note, lasts_s)
    shown = {"id": record.id, "role": record.role, "note": record.note, "expires_at": record.expires_at}
    try:
        if as_json:
            print_json({"key": key, **shown})
        else:
            say(key)
    except BaseException:
        forget(path, record.id)  # a key that was not shown must not work
        raise


@app.command("list")
def list_(home: Home = None, as_json: Json = False) -> None:
    """List all keys with role, state, last use and note. Never shows a key itself."""
    from operations.views.keys import key_views

    path = _existing(settings_of(home, "keys"))
    found = key_views(path)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            key["id"],
            key["role"],
            key["state"],
            *map(_short, (key["created_at"], key["expires_at"], key["last_used_at"])),
            clean(key["note"]),
        )
        for key in found
    ]
    columns = ("id", "role", "state", "created", "expires", "last used", "note")
    output().print(table(columns, rows, whole=columns[:-1]))


@app.command()
def revoke(identity: Annotated[str, typer.Argument(metavar="ID", help="The id of a key.")], home: Home = None) -> None:
    """Revoke a key for good, by the id that `list` shows. The last admin key cannot be revoked."""
    from operations.acts.keys import revoke as end
    from operations.local import file_actor

    settings = settings_of(home, "keys")
    path = _existing(settings)  # before the actor creates an audit file
    ended = end(file_actor(settings), path, identity)
    say(f"revoked {ended.id}")


def _existing(settings: Settings) -> Path:
    """Returns the key file. Raises NotFound if it does not exist, because only `new` creates one."""
    path = settings.api.keys_file
    if not path.exists():
        raise NotFound(f"no key file at {path}; create one with zelador keys new")
    return path


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([mhdwy])", text)
    if match is None:
        raise InvalidInput(f"--expires {text}: write it like 30m, 12h, 90d, 4w or 1y")
    return int(match[1]) * UNITS[match[2]]


def _short(moment: object) -> str:
    return str(moment)[:16].replace("T", " ") if moment else "-"
