"""`zelador up`: everything on this machine, with its data in a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from zelador.cli.process import prepare

Port = Annotated[int | None, typer.Option(min=1, max=65535)]


def up(
    home: Annotated[Path, typer.Option(help="The folder that keeps readings, models and keys.")] = Path(".zelador"),
    mqtt_port: Port = None,
    redis_port: Port = None,
    api_port: Port = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line when everything answers.")] = False,
) -> None:
    """Run broker, Redis and all services on this machine until Ctrl-C or SIGTERM."""
    settings, stop = prepare("up")
    from registry.api.key_file import first_key
    from zelador.embedded.up import Up

    running = Up(home, settings, stop, {"mqtt": mqtt_port, "redis": redis_port, "api": api_port})
    admin_key = first_key(running.home.keys)
    running.start()
    try:
        described = running.describe()
        if as_json:
            ordered = {key: described[key] for key in ("mqtt", "mqtt3", "broker", "redis", "api")}
            rest = {key: value for key, value in described.items() if key not in ordered}
            print(json.dumps({**ordered, "admin_key": admin_key, **rest}), flush=True)
        else:
            say(described, admin_key, running.broker.promise)
        running.run()
    finally:
        running.stop()


def say(described: dict[str, object], admin_key: str | None, promise: str) -> None:
    console = Console(file=sys.stderr, highlight=False)
    console.print(f"\n[bold]Zelador is up[/bold] in {described['home']}\n")
    console.print(f"  devices   {described['mqtt']}   MQTT 5 and 3.1.1, open on this machine only")
    console.print(f"  API       {described['api']}    {described['api']}/docs")
    console.print(f"  Redis     {described['redis']}")
    console.print(f"  broker    {described['broker']}: {promise}")
    if admin_key:
        console.print(f"\n  admin key [bold]{admin_key}[/bold]   (shown once; `zelador keys new` makes another)")
    console.print("\n  Ctrl-C stops it; nothing is lost.\n")
