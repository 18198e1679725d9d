"""`zelador up`: everything on this machine, with its data in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from command.process import prepare
from command.terminal import Terminal, print_json, say
from command.up.home import Home, write_private
from zelador.printable import clean
from zelador.settings import redact

Port = Annotated[int | None, typer.Option(min=1, max=65535)]


def up(
    home: Annotated[Path, typer.Option(help="The folder that keeps readings, models and keys.")] = Path(".zelador"),
    mqtt_port: Port = None,
    redis_port: Port = None,
    api_port: Port = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line when everything answers.")] = False,
) -> None:
    """Run broker, Redis and all services on this machine until Ctrl-C or SIGTERM."""
    os.umask(0o077)  # readings, models and logs are nobody else's; servers and services inherit it
    settings, stop = prepare("up")
    from command.up.up import Up
    from operations.key_file import first_key

    running = Up(home, settings, stop, {"mqtt": mqtt_port, "redis": redis_port, "api": api_port})
    admin_key = first_key(running.home.keys)
    unseen = admin_key is not None
    try:
        running.start()
        described = running.describe()
        if as_json:
            ordered = {key: described[key] for key in ("mqtt", "mqtt3", "broker", "redis", "api")}
            rest = {key: value for key, value in described.items() if key not in ordered}
            print_json({**ordered, "admin_key": admin_key, **rest})
        else:
            show(described, admin_key, running.broker.promise, running.home)
        unseen = False
        running.run()
    finally:
        if unseen and admin_key is not None:
            write_private(running.home.admin_key, f"{admin_key}\n")
            say(f"zelador: the first admin key is in {running.home.admin_key} (0600)", error=True)
        running.stop()


def show(described: dict[str, object], admin_key: str | None, promise: str, home: Home) -> None:
    """For people. What is kept of it, as a service's log is, has no key and no password in it."""
    console = Terminal(error=True)
    redis = redact(str(described["redis"]))
    console.print(Text.assemble("\n", ("Zelador is up", "bold"), f" in {clean(described['home'])}\n"), soft_wrap=True)
    lines = [
        f"  devices   {described['mqtt']}   MQTT 5 and 3.1.1; this machine only, but every user of it",
        f"  API       {described['api']}    {described['api']}/docs",
        f"  Redis     {redis}   this machine only; its password is in {home.redis_config()}",
        f"  broker    {described['broker']}: {promise}",
    ]
    for line in lines:
        console.print(clean(line), soft_wrap=True)
    if admin_key and console.is_terminal:
        shown = Text.assemble(
            "\n  admin key ", (admin_key, "bold"), "   (shown once; `zelador keys new` makes another)"
        )
        console.print(shown, soft_wrap=True)
    elif admin_key:
        write_private(home.admin_key, f"{admin_key}\n")
        say(f"  admin key in {home.admin_key} (0600): read it, keep it elsewhere, remove the file", error=True)
    console.print("\n  Ctrl-C stops it; nothing is lost.\n")
