"""`zelador devices`: lists devices by state, and acknowledges, shelves and retires them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import redis
import typer

from command.home import settings_of
from command.output import output, table, when
from command.terminal import print_json, say
from operations.views.device_events import DeviceEvents, DeviceEventView
from operations.views.devices import Devices, DeviceView
from zelador.alarms.state import State
from zelador.alarms.store import Acted, DeviceStates
from zelador.buffer import connect_redis
from zelador.clock import now_ms
from zelador.errors import InvalidInput
from zelador.printable import clean
from zelador.settings import Settings

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Home = Annotated[
    Path | None,
    typer.Option(help="Use the Redis of this running home of `zelador up` instead of the one in the settings."),
]
Device = Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id, as in the topic.")]
UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
URGENT: tuple[State, ...] = ("alarm", "unknown", "suspect", "acknowledged", "shelved", "ok")  # as listed


@app.command("list")
def list_(
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"Only in this state: {', '.join(get_args(State))}. Repeatable.")
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="Only ids that contain this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The maximum number of devices.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="The number of devices to skip.")] = 0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the devices, those that need attention first."""
    client, prefix = _redis(settings_of(home, "running"))
    found, total = Devices(client, prefix).page(limit, offset, _states(state) or URGENT, text)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    if not found:
        say("no device matches" if state or text else "no reading of a device was classified yet")
        return
    rows = [
        (clean(each.device_id), each.state, when(each.since), clean(_explained(each)), clean(each.label))
        for each in found
    ]
    output().print(
        table(("device", "state", "since", "reason", "last label"), rows, whole=("device", "state", "since"))
    )
    if offset + limit < total:
        say(f"{total} devices; more: --offset {offset + limit}")


@app.command()
def show(device: Device, home: Home = None) -> None:
    """Show a device as JSON."""
    client, prefix = _redis(settings_of(home, "running"))
    print_json(msgspec.to_builtins(Devices(client, prefix).device(device)), indent=2)


@app.command()
def events(
    device: Annotated[str | None, typer.Argument(metavar="DEVICE", help="Only events of this device.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The maximum number of events.")] = 50,
    before: Annotated[str | None, typer.Option(help="Only events older than this id.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the changes of states, newest first."""
    if before is not None and not re.fullmatch(r"\d{1,20}-\d{1,20}", before):
        raise InvalidInput(f"--before {before[:60]}: use an id that this command has shown")
    client, prefix = _redis(settings_of(home, "running"))
    found, following = DeviceEvents(client, prefix).page(limit, before, device)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    if not found:
        say("no state has changed yet")
        return
    rows = [
        (when(each.at), clean(each.device_id or "all devices"), each.before, each.state, clean(_because(each)))
        for each in found
    ]
    output().print(table(("at", "device", "from", "to", "why"), rows, whole=("at", "device")))
    if following is not None:
        say(f"more: --before {following}")


@app.command()
def acknowledge(device: Device, home: Home = None) -> None:
    """Acknowledge the alarm of a device: someone is taking care of it."""
    from operations.acts import devices as acts
    from operations.local import local_actor

    settings = settings_of(home, "running")
    _say(device, acts.acknowledge(local_actor(settings), _device_states(settings), device))


@app.command()
def unacknowledge(device: Device, home: Home = None) -> None:
    """Undo the acknowledgment of an alarm, within 10 minutes: it needs somebody again."""
    from operations.acts import devices as acts
    from operations.local import local_actor

    settings = settings_of(home, "running")
    _say(device, acts.unacknowledge(local_actor(settings), _device_states(settings), device))


@app.command()
def shelve(
    device: Device,
    period: Annotated[str, typer.Option("--for", help="How long: 30m, 8h, 2d.")],
    why: Annotated[str, typer.Option(help="The reason.")] = "",
    home: Home = None,
) -> None:
    """Shelve a device: its alarms are silenced for a time."""
    from operations.acts import devices as acts
    from operations.local import local_actor

    settings = settings_of(home, "running")
    until = now_ms() + _seconds(period) * 1000
    _say(device, acts.shelve(local_actor(settings), _device_states(settings), device, until, why))


@app.command()
def unshelve(device: Device, home: Home = None) -> None:
    """End the shelving of a device."""
    from operations.acts import devices as acts
    from operations.local import local_actor

    settings = settings_of(home, "running")
    _say(device, acts.unshelve(local_actor(settings), _device_states(settings), device))


@app.command()
def retire(device: Device, home: Home = None) -> None:
    """Retire a device: it is no longer watched."""
    from operations.acts import devices as acts
    from operations.local import local_actor

    settings = settings_of(home, "running")
    _say(device, acts.retire(local_actor(settings), _device_states(settings), device))


@app.command()
def restore(device: Device, home: Home = None) -> None:
    """Watch a retired device again."""
    from operations.acts import devices as acts
    from operations.local import local_actor

    settings = settings_of(home, "running")
    _say(device, acts.restore(local_actor(settings), _device_states(settings), device))


def _redis(settings: Settings) -> tuple[redis.Redis, str]:
    return connect_redis(settings.redis), settings.redis.prefix


def _device_states(settings: Settings) -> DeviceStates:
    return DeviceStates(*_redis(settings))


def _say(device: str, acted: Acted) -> None:
    state = "in alarm" if acted.after == "alarm" else acted.after
    say(f"{device} is {state}" if acted.is_changed else f"{device} is {state} already; nothing was changed")


def _states(given: list[str] | None) -> tuple[State, ...]:
    known: tuple[State, ...] = get_args(State)
    if bad := [each for each in given or () if each not in known]:
        raise InvalidInput(f"--state {bad[0]}: use {', '.join(known)}")
    return tuple(state for state in known if state in (given or ()))


def _seconds(period: str) -> int:
    """Returns the seconds of a period such as `8h`. Raises InvalidInput."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", period.strip())
    if match is None:
        raise InvalidInput(f"--for {period[:40]}: use a number and m, h or d, for example 30m, 8h or 2d")
    return int(match[1]) * UNITS_S[match[2]]


def _explained(device: DeviceView) -> str:
    match device.state:
        case "alarm" | "acknowledged" if device.alarm_label is not None and device.alarm_probability is not None:
            taken = f", by {device.acknowledged_by}" if device.state == "acknowledged" else ""
            return f"{device.alarm_label} ({device.alarm_probability:.2f}){taken}"
        case "shelved":
            return f"until {when(device.shelved_until)} by {device.shelved_by}" + (
                f": {device.reason}" if device.reason else ""
            )
        case "unknown":
            return device.reason or ""
    return ""


def _because(event: DeviceEventView) -> str:
    if (event.before, event.state) == ("acknowledged", "alarm"):
        return f"acknowledgment undone by {event.by}"
    parts = [event.why, f"by {event.by}" if event.by else None]
    if event.label is not None:
        parts.append(f"{event.label} ({event.probability:.2f})" if event.probability is not None else event.label)
    return ", ".join(part for part in parts if part)
