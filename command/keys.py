"""`zelador keys`: who may use the admin API. It works on the keys' file; a running API sees a change at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from command.output import output, table
from command.terminal import print_json, say
from zelador.errors import InvalidInput, NotFound
from zelador.printable import clean
from zelador.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]
Home = Annotated[Path | None, typer.Option(help="The home whose keys they are; without it, the settings' file.")]
UNITS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 7 * 86_400.0, "y": 365 * 86_400.0}


@app.callback()
def keys() -> None:
    """Keys of the admin API."""


@app.command("new")
def new(
    role: Annotated[
        str, typer.Option(help="viewer looks and classifies, operator also acts, admin may all.")
    ] = "admin",
    expires: Annotated[str | None, typer.Option(help="After 30m, 12h, 90d, 4w or 1y; without it, never.")] = None,
    note: Annotated[str, typer.Option(help="What it is for; shown by `list`.")] = "",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Make another key; it is shown once, only its digest is kept."""
    from operations.acts.keys import make
    from operations.key_file import ROLES, forget
    from operations.local import file_actor

    known = next((each for each in ROLES if each == role), None)
    if known is None:
        raise InvalidInput(f"--role {role}: take {', '.join(ROLES)}")
    lasts_s = None if expires is None else _seconds(expires)
    settings = _settings(home)
    path = settings.api.keys_file
    record, key = make(file_actor(settings), path, known, note, lasts_s)
    shown = {"id": record.id, "role": record.role, "note": record.note, "expires_at": record.expires_at}
    try:
        if as_json:
            print_json({"key": key, **shown})
        else:
            say(key)
    except BaseException:
        forget(path, record.id)  # nobody has seen it: it must not work
        raise


@app.command("list")
def list_(home: Home = None, as_json: Json = False) -> None:
    """Every key that was made: role, note, whether it is valid, when it was last used; never the key itself."""
    from operations.views.keys import key_views

    path = _existing(_settings(home))
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
def revoke(identity: Annotated[str, typer.Argument(metavar="ID")], home: Home = None) -> None:
    """End a key for good, by its id as `list` shows it. The last admin key is refused."""
    from operations.acts.keys import revoke as end
    from operations.local import file_actor

    settings = _settings(home)
    path = _existing(settings)
    ended = end(file_actor(settings), path, identity)
    say(f"{ended.id} is revoked")


def _existing(settings: Settings) -> Path:
    """The key file. Raises NotFound: only `new` makes one."""
    path = settings.api.keys_file
    if not path.exists():
        raise NotFound(f"there is no key file at {path}; zelador keys new makes one")
    return path


def _settings(home: Path | None) -> Settings:
    settings = load_settings()
    if home is None:
        return settings
    api = settings.api.model_copy(update={"keys_file": home / "keys.json", "audit_file": None})
    return settings.model_copy(update={"api": api})


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([mhdwy])", text)
    if match is None:
        raise InvalidInput(f"--expires {text}: take 30m, 12h, 90d, 4w or 1y")
    return int(match[1]) * UNITS[match[2]]


def _short(moment: object) -> str:
    return str(moment)[:16].replace("T", " ") if moment else "-"
