"""`zelador up`: runs everything on this machine, with its data in one folder."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from command.process import prepare
from command.terminal import Terminal, print_json, say
from command.up.home import write_private
from command.up.ports import PORT_HELP
from zelador.errors import InvalidInput, NotFound
from zelador.printable import clean
from zelador.settings import redact

if TYPE_CHECKING:
    from command.up.up import Up


def up(
    home: Annotated[Path, typer.Option(help="The folder for readings, models and keys.")] = Path(".zelador"),
    listen: Annotated[
        str | None,
        typer.Option(
            help="Let devices connect from the network at this address (0.0.0.0: all of this machine), each with a "
            "password (zelador devices password NAME). Default: this machine only, without passwords."
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="With --listen: the certificate chain (PEM). Devices then use mqtts.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="With --tls-cert: the private key (PEM).")] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            help="Use this broker instead of starting one, such as mqtts://broker.example:8883. User and password: "
            "ZELADOR_MQTT__USERNAME, ZELADOR_MQTT__PASSWORD. Default: ZELADOR_MQTT__URL, if it is set."
        ),
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(
            help="Use this Redis instead of starting one, such as redis://redis.example:6379/0; with a password, set "
            "ZELADOR_REDIS__URL instead. Default: ZELADOR_REDIS__URL, if it is set."
        ),
    ] = None,
    mqtt_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=PORT_HELP.format("devices") + " With --listen: the previous one, or 1883."),
    ] = None,
    redis_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("Redis"))] = None,
    api_port: Annotated[int | None, typer.Option(min=1, max=65535, help=PORT_HELP.format("the API"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when everything is ready.")] = False,
) -> None:
    """Run the broker, Redis and all services on this machine until Ctrl-C or SIGTERM."""
    os.umask(0o077)  # keeps readings, models and logs private; servers and services inherit the mask
    settings, stop = prepare("up")
    from command.up.listen import listening
    from command.up.own_servers import chosen
    from command.up.up import Up
    from operations.key_file import first_key, withdraw_first_key

    settings, own = chosen(settings, broker, redis)
    listens = listening(listen, tls_cert, tls_key)
    for option, source, needs in (
        ("--listen", listens and own.broker, "devices connect to that broker, at its own address"),
        ("--mqtt-port", mqtt_port and own.broker, "devices connect to that broker, at its own port"),
        ("--redis-port", redis_port and own.redis, "no Redis is started here"),
    ):
        if source:
            raise InvalidInput(f"{option} cannot be used with {source}: {needs}")
    running = Up(home, settings, stop, {"mqtt": mqtt_port, "redis": redis_port, "api": api_port}, None, own, listens)
    admin_key = first_key(running.home.keys)
    is_unseen, is_started = admin_key is not None, False
    try:
        running.start()
        is_started = True
        described = running.describe()
        if as_json:
            ordered = {key: described[key] for key in ("mqtt", "mqtt3", "broker", "redis", "api")}
            rest = {key: value for key, value in described.items() if key not in ordered}
            print_json({**ordered, "console": _console_link(running), "admin_key": admin_key, **rest})
        else:
            show(running, described, admin_key, _console_link(running))
        is_unseen = False
        running.run()
    finally:
        if is_unseen and admin_key is not None and not is_started:
            withdraw_first_key(running.home.keys, admin_key)
        elif is_unseen and admin_key is not None:
            write_private(running.home.admin_key, f"{admin_key}\n")
            say(f"zelador: the first admin key is in {running.home.admin_key} (0600)", error=True)
        running.stop()


def _console_link(running: Up) -> str | None:
    """Returns a link that signs in to the console; None if every admin key was revoked."""
    try:
        return running.console_link()
    except NotFound:
        return None


def show(running: Up, described: dict[str, object], admin_key: str | None, link: str | None = None) -> None:
    """Prints the addresses. Keys and passwords are shown only on a terminal, so that no log contains them."""
    console = Terminal(error=True)
    home, broker, listen = running.home, running.broker, running.listen
    folder = shlex.quote(str(home.path))
    redis = redact(str(described["redis"]))
    console.print(Text.assemble("\n", ("Zelador is up", "bold"), f" in {clean(described['home'])}\n"), soft_wrap=True)
    devices = f"  devices   {described['mqtt']}   MQTT 5 and 3.1.1; this machine only, any user"
    if listen is not None:
        devices = f"  devices   {listen.device_url(running.ports['mqtt'])}   MQTT 5 and 3.1.1; each with a password"
    elif broker is None:
        devices = f"  devices   {described['mqtt']}   your own broker"
    lines = [
        devices,
        f"  API       {described['api']}    {described['api']}/docs",
        f"  Redis     {redis}   this machine only; the password is in {home.redis_config()}"
        if running.redis
        else f"  Redis     {redis}   your own",
    ]
    if broker is not None:
        lines.append(f"  broker    {broker.name}: {broker.promise}")
    if running.access is not None and not running.access.records:
        lines.append(f"\n  no device has a password yet: zelador devices password NAME --home {folder}")
    if listen is not None and listen.certificate is None:
        lines.append("\n  passwords and readings travel unencrypted: use --tls-cert and --tls-key")
    for line in lines:
        console.print(clean(line, "\n"), soft_wrap=True)
    if admin_key and sys.stderr.isatty():  # FORCE_COLOR changes what the Rich console assumes
        shown = Text.assemble(
            "\n  admin key ",
            (admin_key, "bold"),
            f"   (shown once; zelador keys new --home {folder} creates another)",
        )
        console.print(shown, soft_wrap=True)
    elif admin_key:
        write_private(home.admin_key, f"{admin_key}\n")
        say(f"  admin key in {home.admin_key} (0600): store the key elsewhere, then delete the file", error=True)
    if link and console.is_terminal:
        about = "signs you in: once, for 60 s; `zelador console` makes another"
        console.print(f"\n  console   {link}   ({about})", soft_wrap=True)
    console.print("\n  Ctrl-C stops it without losing readings.\n")
