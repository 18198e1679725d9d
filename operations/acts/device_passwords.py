"""Set and remove the passwords of devices."""

from __future__ import annotations

from pathlib import Path

from operations import device_passwords
from operations.actor import Actor
from operations.audit import Act
from operations.device_passwords import DevicePassword
from zelador.errors import Unavailable


def set_password(
    actor: Actor, path: Path, name: str, reader: bool = False, behind: tuple[str, ...] = ()
) -> tuple[DevicePassword, str]:
    """Makes a password for the device, reader or gateway; an earlier one stops working. Returns record and password.

    Raises InvalidInput; Unavailable if it cannot be recorded, and then nothing has changed.
    """
    before = next((each for each in device_passwords.read(path) if each.name == name), None)
    actor.check()
    record, password = device_passwords.set_password(path, name, reader, behind)
    try:
        seen = None if before is None else _seen(before)
        actor.record(Act.DEVICE_PASSWORD_MADE, name, seen, _seen(record))
    except Unavailable:
        device_passwords.restore(path, name, before)
        raise
    return record, password


def remove(actor: Actor, path: Path, name: str) -> None:
    """Ends the device's access. Raises NotFound, Unavailable."""
    actor.check()
    gone = device_passwords.remove(path, name)
    actor.record(Act.DEVICE_PASSWORD_REMOVED, name, _seen(gone), None)


def _seen(record: DevicePassword) -> dict[str, str | bool | list[str]]:
    found: dict[str, str | bool | list[str]] = {"created_at": record.created_at}
    if record.reader:
        found["reader"] = True
    if record.behind:
        found["for"] = list(record.behind)
    return found
