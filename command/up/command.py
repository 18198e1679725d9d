"""`zelador up`: run everything on this machine, with its data in one folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from command.process import prepare
from command.terminal import Terminal, print_json, say
from command.up.home import Home, write_private
from command.up.ports import PORT_HELP
from zelador.errors import NotFound
from zelador.printable import clean
from zelador.settings import redact

if TYPE_CHECKING:
    from command.up.up import Up


def up(
    home: Annotated[Path, typer.Option(help="The folder for readings, models and keys.")] = Path(".zelador"),
    mqtt_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("devices"))] = None,
    redis_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("Redis"))] = None,
    api_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("the API"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when everything is ready.")] = False,
) -> None:
    """Run the broker, Redis and all services on this machine until Ctrl-C or SIGTERM."""
    os.umask(0o077)  # readings, models and logs are private; servers and services inherit the mask
    settings, stop = prepare("up")
    from command.up.up import Up
    from operations.key_file import first_key

    running = Up(home, settings, stop, {"mqtt": mqtt_port, "redis": redis_port, "api": api_port})
    admin_key = first_key(running.home.keys)
    is_unseen = admin_key is not None
    try:
        running.start()
        described = running.describe()
        if as_json:
            ordered = {key: described[key] for key in ("mqtt", "mqtt3", "broker", "redis", "api")}
            rest = {key: value for key, value in described.items() if key not in ordered}
            print_json({**ordered, "console": _console_link(running), "admin_key": admin_key, **rest})
        else:
            show(described, admin_key, running.broker.promise, running.home, _console_link(running))
        is_unseen = False
        running.run()
    finally:
        if is_unseen and admin_key is not None:
            write_private(running.home.admin_key, f"{admin_key}\n")
            say(f"zelador: the first admin key is in {running.home.admin_key} (0600)", error=True)
        running.stop()


def _console_link(running: Up) -> str | None:
    """A link that signs in to the console; None if every admin key was revoked."""
    try:
        return running.console_link()
    except NotFound:
        return None


def show(
    described: dict[str, object], admin_key: str | None, promise: str, home: Home, link: str | None = None
) -> None:
    """Prints the addresses. Keys and passwords are shown only on a terminal, so that no log contains them."""
    console = Terminal(error=True)
    redis = redact(str(described["redis"]))
    console.print(Text.assemble("\n", ("Zelador is up", "bold"), f" in {clean(described['home'])}\n"), soft_wrap=True)
    lines = [
        f"  devices   {described['mqtt']}   MQTT 5 and 3.1.1; this machine only, any user",
        f"  API       {described['api']}    {described['api']}/docs",
        f"  Redis     {redis}   this machine only; the password is in {home.redis_config()}",
        f"  broker    {described['broker']}: {promise}",
    ]
    for line in lines:
        console.print(clean(line), soft_wrap=True)
    if admin_key and console.is_terminal:
        shown = Text.assemble(
            "\n  admin key ", (admin_key, "bold"), "   (shown once; `zelador keys new` creates another)"
        )
        console.print(shown, soft_wrap=True)
    elif admin_key:
        write_private(home.admin_key, f"{admin_key}\n")
        say(f"  admin key in {home.admin_key} (0600): store the key elsewhere, then delete the file", error=True)
    if link and console.is_terminal:
        about = "signs you in: once, for 60 s; `zelador console` makes another"
        console.print(f"\n  console   {link}   ({about})", soft_wrap=True)
    console.print("\n  Ctrl-C stops it without losing readings.\n")
