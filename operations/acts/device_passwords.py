"""Give devices passwords, and take them away."""

from __future__ import annotations

from pathlib import Path

from operations import device_passwords
from operations.actor import Actor
from operations.audit import Act
from operations.device_passwords import DevicePassword
from zelador.errors import Unavailable


def set_password(actor: Actor, path: Path, name: str) -> tuple[DevicePassword, str]:
    """Makes a password for the device; an earlier one stops working. Returns its record and the password itself.

    Raises InvalidInput; Unavailable if it cannot be recorded, and then nothing has changed.
    """
    before = next((each for each in device_passwords.read(path) if each.name == name), None)
    record, password = device_passwords.set_password(path, name)
    try:
        seen = None if before is None else {"created_at": before.created_at}
        actor.record(Act.DEVICE_PASSWORD_MADE, name, seen, {"created_at": record.created_at})
    except Unavailable:
        device_passwords.restore(path, name, before)
        raise
    return record, password


def remove(actor: Actor, path: Path, name: str) -> None:
    """Ends the device's access. Raises NotFound, Unavailable."""
    gone = device_passwords.remove(path, name)
    actor.record(Act.DEVICE_PASSWORD_REMOVED, name, {"created_at": gone.created_at}, None)
