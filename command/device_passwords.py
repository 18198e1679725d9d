"""`zelador devices password`, `passwords`, `remove`: manages the passwords of devices for `zelador up --listen`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from command.home import settings_of
from command.output import output, table, when
from command.terminal import print_json, say
from zelador.errors import InvalidInput, NotFound
from zelador.user import expanded

if TYPE_CHECKING:
    from operations.device_passwords import DevicePassword

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[Path, typer.Option(help="The home of `zelador up`.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The device's id: its user name, and its level in topics.")]
DEFAULT_HOME = Path(".zelador")


def add_to(app: typer.Typer) -> None:
    """Adds the commands to `zelador devices`."""
    app.command("password")(password)
    app.command("passwords")(list_)
    app.command("remove")(remove)


def password(
    name: Name,
    home: Home = DEFAULT_HOME,
    reader: Annotated[
        bool,
        typer.Option("--reader", help="For a dashboard or a person: it may read every topic, and publish nothing."),
    ] = False,
    for_: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="DEVICE",
            help="For a gateway such as Zigbee2MQTT: a device for which it also publishes. May be repeated; '*' is "
            "every device.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a device, with --reader a dashboard, or with --for a gateway, a password, in place of an earlier one.

    It is shown once; only its hash is stored.
    """
    from operations.acts.device_passwords import set_password
    from operations.device_passwords import check_behind, check_name, file_of, read, restore
    from operations.local import file_actor

    check_name(name)
    behind = tuple(dict.fromkeys(for_ or ()))
    check_behind(behind)
    if reader and behind:
        raise InvalidInput("use either --reader or --for: a reader publishes nothing")
    folder = _existing(home)
    path = file_of(folder)
    before = next((each for each in read(path) if each.name == name), None)
    record, shown = set_password(file_actor(settings_of(folder, "keys")), path, name, reader, behind)
    try:
        if as_json:
            print_json({**_shown(record), "password": shown})
        else:
            say(shown)
    except BaseException:
        restore(path, name, before)  # a password that was not shown must not work
        raise


def list_(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """List the devices that have a password. Never shows a password."""
    from operations.device_passwords import file_of, read

    found = read(file_of(_existing(home)))
    if as_json:
        print_json([_shown(each) for each in found])
        return
    output().print(
        table(
            ("name", "for", "password made"),
            [(each.name, _kind(each), when(each.created_at)) for each in found],
        )
    )


def _shown(record: DevicePassword) -> dict[str, object]:
    return {
        "name": record.name, "reader": record.reader, "for": list(record.behind), "created_at": record.created_at,
    }  # fmt: skip


def _kind(record: DevicePassword) -> str:
    if record.reader:
        return "reader"
    if not record.behind:
        return "device"
    from operations.device_passwords import EVERY

    return f"gateway of {'every device' if EVERY in record.behind else ', '.join(record.behind)}"


def remove(name: Name, home: Home = DEFAULT_HOME) -> None:
    """Remove a device's password. A running `up` ends its connections."""
    from operations.acts.device_passwords import remove as end
    from operations.device_passwords import file_of
    from operations.local import file_actor

    folder = _existing(home)
    if not file_of(folder).exists():  # before the actor creates an audit file
        raise NotFound(f"no device has a password in {folder}; give one with zelador devices password NAME")
    end(file_actor(settings_of(folder, "keys")), file_of(folder), name)
    say(f"{name} can no longer connect")


def _existing(home: Path) -> Path:
    """Returns the home's folder, which must exist, even if it was never started: a mistyped path creates nothing."""
    folder = expanded(home)
    if not folder.is_dir():
        raise NotFound(f"--home {folder}: there is no such folder; start zelador up --home {folder} first")
    return folder
