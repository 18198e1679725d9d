"""The passwords of a home's devices: 192 random bits each, shown once. Only a salted hash is stored.

The hash has the form of Mosquitto's password file, so that Mosquitto and the gate check the same one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from pathlib import Path

import msgspec

from operations.owned_file import locked, write_owned
from zelador.clock import now_iso_second
from zelador.errors import Corrupt, InvalidInput, NotFound
from zelador.undecodable import UNDECODABLE

FILE = "device-passwords.json"  # in the home
SERVICE_USER = "zelador"  # the services of the home
NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,63}")
HASH = re.compile(r"\$7\$(\d{1,7})\$([A-Za-z0-9+/=]{8,88})\$([A-Za-z0-9+/=]{88})")
ITERATIONS = 101  # Mosquitto's own; nobody can guess 192 random bits, so slowness would only help floods of connects
SALT_BYTES = 12
MAX_DEVICES = 10_000
EVERY = "*"  # a gateway that publishes for every device
MAX_BEHIND = 100  # devices named behind one gateway: each publish is compared with all of them


class DevicePassword(msgspec.Struct, frozen=True, omit_defaults=True):
    """The record of a password. `created_at` is ISO 8601, UTC. A `reader` may read all topics, and publish nothing.

    A gateway publishes and reads also for the devices in `behind`; `*` there stands for every device.
    """

    name: str
    hash: str
    created_at: str
    reader: bool = False
    behind: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True):
    devices: tuple[DevicePassword, ...] = ()


def file_of(home: Path) -> Path:
    return home / FILE


def set_password(
    path: Path, name: str, reader: bool = False, behind: tuple[str, ...] = ()
) -> tuple[DevicePassword, str]:
    """Makes a password for the device, reader or gateway, in place of an earlier one; returns record and password.

    Raises InvalidInput, Corrupt, Unavailable.
    """
    check_name(name)
    check_behind(behind)
    password = new_password()
    record = DevicePassword(name, hashed(password), now_iso_second(), reader, behind)
    with locked(path, "--home"):
        others = [each for each in read(path) if each.name != name]
        if len(others) >= MAX_DEVICES:
            raise InvalidInput(f"there are {MAX_DEVICES} devices with a password already; remove some")
        _write(path, (*others, record))
    return record, password


def remove(path: Path, name: str) -> DevicePassword:
    """Removes a password; returns its record. Raises NotFound, Corrupt, Unavailable."""
    if not path.exists():
        raise NotFound("no device has a password here")
    with locked(path, "--home"):
        found = next((each for each in read(path) if each.name == name), None)
        if found is None:
            raise NotFound(
                f"the device {name[:80]!r} has no password; zelador devices passwords shows those that have one"
            )
        _write(path, tuple(each for each in read(path) if each.name != name))
    return found


def restore(path: Path, name: str, before: DevicePassword | None) -> None:
    """Restores the record from before `set_password`, because nobody has seen the new password."""
    with locked(path, "--home"):
        others = tuple(each for each in read(path) if each.name != name)
        _write(path, others if before is None else (*others, before))


def read(path: Path) -> tuple[DevicePassword, ...]:
    """Every record, oldest first. Raises Corrupt."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File).devices
    except FileNotFoundError:
        return ()
    except UNDECODABLE as error:
        raise Corrupt(f"{path} is damaged ({error}); remove it and make new passwords: zelador devices") from None
    if bad := next((each for each in found if not _is_valid(each)), None):
        raise Corrupt(
            f"{path} has an invalid record for {bad.name[:80]!r}; correct it, or remove the file and make new passwords"
        )
    return found


def check_name(name: str) -> None:
    """Raises InvalidInput. A name becomes a level of a topic and a word in the broker's files."""
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:80]!r} cannot be the name of a device with a password: use 1 to 64 letters, digits, _ . and - "
            "(not first), the same name as in its topics"
        )
    if name == SERVICE_USER:
        raise InvalidInput(f"{name} is the user of the services; name the device differently")


def check_behind(names: tuple[str, ...]) -> None:
    """The devices for which a gateway publishes. Raises InvalidInput."""
    if EVERY in names and len(names) > 1:
        raise InvalidInput("--for '*' is every device; name no others with it")
    if len(names) > MAX_BEHIND:
        raise InvalidInput(f"--for names {len(names)} devices; at most {MAX_BEHIND}, or '*' for every device")
    for name in names:
        if EVERY in name and name != EVERY:
            raise InvalidInput(
                f"--for {name[:80]!r}: access lists of brokers have no wildcard for a part of a name; name each device "
                "(--for press-01 --for press-02), or use '*' for every device"
            )
        if name != EVERY:
            check_name(name)


def _is_valid(record: DevicePassword) -> bool:
    names = (record.name, *(each for each in record.behind if each != EVERY))
    return all(map(NAME.fullmatch, names)) and HASH.fullmatch(record.hash) is not None


def new_password() -> str:
    return secrets.token_hex(24)


def hashed(password: str) -> str:
    salt = secrets.token_bytes(SALT_BYTES)
    return f"$7${ITERATIONS}${_text(salt)}${_text(_digest(password.encode(), salt, ITERATIONS))}"


def matches(stored: str, password: bytes) -> bool:
    """True if the password has this hash; compared in constant time."""
    found = HASH.fullmatch(stored)
    if found is None:
        return False
    digest = _digest(password, base64.b64decode(found[2]), int(found[1]))
    return hmac.compare_digest(digest, base64.b64decode(found[3]))


def _digest(password: bytes, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password, salt, iterations)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _write(path: Path, devices: tuple[DevicePassword, ...]) -> None:
    write_owned(path, msgspec.json.format(msgspec.json.encode(_File(devices))), "--home")
