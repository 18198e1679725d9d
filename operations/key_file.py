"""API keys: 256 random bits each, shown once. Only the SHA-256 is stored, in a file that only its owner can read.

No slow hash is needed: that is for passwords, which people choose. A random key cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Literal

import msgspec

from operations.owned_file import locked, write_owned
from zelador.clock import now_iso_second
from zelador.errors import Conflict, Corrupt, InvalidInput, NotFound
from zelador.undecodable import UNDECODABLE

Role = Literal["viewer", "operator", "admin"]
State = Literal["valid", "expired", "revoked"]

PREFIX = "zlk_"  # so that people and secret scanners recognize a key
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")  # each includes the rights of those before it
MAX_NOTE = 200  # characters
SETTING = "ZELADOR_API__KEYS_FILE"


class Key(msgspec.Struct, frozen=True):
    """The record of a key; `id` names it in logs and history. Times are ISO 8601, UTC.

    `expires_at` is None for a key without an end, `revoked_at` for one that was not revoked.
    """

    id: str
    digest: str
    role: Role
    created_at: str
    note: str = ""
    expires_at: str | None = None
    revoked_at: str | None = None

    @property
    def state(self) -> State:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now_iso_second() else "valid"

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)


class _File(msgspec.Struct, frozen=True):
    keys: tuple[Key, ...] = ()


def first_key(path: Path) -> str | None:
    """Makes the first admin key and returns it; None if the key file exists. Raises Unavailable, Corrupt."""
    with locked(path, SETTING):
        return None if path.exists() else _add(path, "admin", "the first key", None)[1]


def withdraw_first_key(path: Path, key: str) -> None:
    """Removes the key file if `key`, which nobody has seen, is the only one in it; `first_key` then makes another."""
    with locked(path, SETTING):
        if path.exists() and [record.digest for record in _read(path).keys] == [_digest(key)]:
            path.unlink()


def new_key(path: Path, role: Role = "admin", note: str = "", lasts_s: float | None = None) -> tuple[Key, str]:
    """Makes a key; returns its record and the key itself, which cannot be shown again.

    Raises Unavailable when the file cannot be written, Corrupt when it is damaged, InvalidInput.
    """
    if len(note) > MAX_NOTE or not (note.isprintable() or not note):
        raise InvalidInput(f"a note has at most {MAX_NOTE} printable characters", field="note")
    if lasts_s is not None and not 0 < lasts_s <= 100 * 366 * 86_400:
        raise InvalidInput("a key must expire after at least one second and at most a hundred years")
    with locked(path, SETTING):
        return _add(path, role, note, lasts_s)


def revoke(path: Path, identity: str) -> Key:
    """Revokes the key for good; its record stays. Raises NotFound, Conflict, Unavailable, Corrupt."""
    if not path.exists():  # a mistyped path must not make a file
        raise NotFound(f"there is no key file at {path}; zelador keys new makes one")
    with locked(path, SETTING):
        records = _read(path).keys
        found = next((record for record in records if record.id == identity), None)
        if found is None:
            raise NotFound(f"there is no key {identity[:40]!r}; `zelador keys list` shows them")
        if found.revoked_at is not None:
            return found
        others = [each for each in records if each.id != identity and each.role == "admin" and each.state == "valid"]
        if found.role == "admin" and found.state == "valid" and not others:
            raise Conflict(f"{identity} is the last admin key: make another one before you revoke it")
        ended = msgspec.structs.replace(found, revoked_at=now_iso_second())
        _write(path, _File(tuple(ended if record.id == identity else record for record in records)))
        return ended


def forget(path: Path, identity: str) -> None:
    """Deletes a new key that nobody has seen. Raises Unavailable, Corrupt."""
    with locked(path, SETTING):
        _write(path, _File(tuple(record for record in _read(path).keys if record.id != identity)))


def list_keys(path: Path) -> tuple[Key, ...]:
    """Every record, oldest first. Raises Corrupt."""
    return _read(path).keys


class KeyFile:
    """The known keys; reads the file again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def known(self, key: str) -> Key | None:
        """The record of `key`, compared in constant time; None if the key is unknown. Raises Corrupt.

        The key may have expired or been revoked; check its `state`.
        """
        self._refresh()
        digest = _digest(key)
        found = None
        for record in self._keys:
            if hmac.compare_digest(record.digest, digest):
                found = record
        return found

    def by_id(self, identity: str) -> Key | None:
        """The record with this id; check its `state`. Raises Corrupt."""
        self._refresh()
        return next((record for record in self._keys if record.id == identity), None)

    def _refresh(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, ()
            return
        except OSError as error:
            raise Corrupt(f"{self.path} cannot be read ({error.strerror}); correct it, or set {SETTING}") from None
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._keys = _read(self.path).keys
            self._seen = seen


def _add(path: Path, role: Role, note: str, lasts_s: float | None) -> tuple[Key, str]:
    key = PREFIX + secrets.token_urlsafe(32)
    expires = None if lasts_s is None else now_iso_second(lasts_s)
    record = Key(secrets.token_hex(4), _digest(key), role, now_iso_second(), note, expires)
    _write(path, _File((*_read(path).keys, record)))
    return record, key


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _read(path: Path) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return _File()
    except OSError as error:
        raise Corrupt(f"{path} cannot be read ({error.strerror}); correct it, or set {SETTING}") from None
    except UNDECODABLE as error:
        raise Corrupt(f"{path} is damaged ({error}); remove it and make a new key: zelador keys new") from None


def _write(path: Path, content: _File) -> None:
    write_owned(path, msgspec.json.format(msgspec.json.encode(content)), SETTING)
