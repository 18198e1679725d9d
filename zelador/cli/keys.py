"""`zelador keys`: who may use the admin API. It works on the keys' file; a running API sees a change at once."""

from __future__ import annotations

import getpass
import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from zelador.cli.tables import output
from zelador.errors import InvalidInput
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
    from registry.api.key_file import ROLES, new_key

    known = next((each for each in ROLES if each == role), None)
    if known is None:
        raise InvalidInput(f"--role {role}: take {', '.join(ROLES)}")
    settings = _settings(home)
    record, key = new_key(settings.api.keys_file, known, note, None if expires is None else _seconds(expires))
    shown = {"id": record.id, "role": record.role, "note": record.note, "expires_at": record.expires_at}
    _audit(settings, "key made", record.id, None, shown)
    print(json.dumps({"key": key, **shown}, ensure_ascii=False) if as_json else key)


@app.command("list")
def list_(home: Home = None, as_json: Json = False) -> None:
    """Every key that was made: role, note, whether it is valid, when it was last used; never the key itself."""
    from registry.api.key_file import list_keys
    from registry.api.last_use import read, where

    path = _settings(home).api.keys_file
    used = read(where(path))
    found = [
        {
            "id": key.id,
            "role": key.role,
            "state": key.state,
            "note": key.note,
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
            "last_used_at": used.get(key.id),
        }
        for key in list_keys(path)
    ]
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    table = Table(box=None)
    for column in ("id", "role", "state", "created", "expires", "last used", "note"):
        table.add_column(column, no_wrap=column != "note")
    for key in found:
        times = (_short(key["created_at"]), _short(key["expires_at"]), _short(key["last_used_at"]))
        table.add_row(str(key["id"]), str(key["role"]), str(key["state"]), *times, escape(str(key["note"])))
    output().print(table if found else "there is no key; zelador keys new makes one")


@app.command()
def revoke(identity: Annotated[str, typer.Argument(metavar="ID")], home: Home = None) -> None:
    """End a key for good, by its id as `list` shows it. The last admin key is refused."""
    from registry.api.key_file import revoke as end

    settings = _settings(home)
    ended = end(settings.api.keys_file, identity)
    before = {"role": ended.role, "note": ended.note}
    _audit(settings, "key revoked", ended.id, before, {"revoked_at": ended.revoked_at})
    print(f"{ended.id} is revoked")


def _settings(home: Path | None) -> Settings:
    settings = load_settings()
    if home is None:
        return settings
    api = settings.api.model_copy(update={"keys_file": home / "keys.json", "audit_file": None})
    return settings.model_copy(update={"api": api})


def _audit(settings: Settings, what: str, target: str, before: Any, after: Any) -> None:
    from registry.api.trail import Trail, where

    path = where(settings.api.keys_file, settings.api.audit_file)
    Trail(path, settings.api.audit_bytes).add(f"{getpass.getuser()} (command line)", what, target, before, after)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([mhdwy])", text)
    if match is None:
        raise InvalidInput(f"--expires {text}: take 30m, 12h, 90d, 4w or 1y")
    return int(match[1]) * UNITS[match[2]]


def _short(moment: object) -> str:
    return str(moment)[:16].replace("T", " ") if moment else "-"
