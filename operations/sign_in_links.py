"""One-time links that sign a person in to the console: 256 random bits, stored as hashes beside the keys."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from pathlib import Path

import msgspec

from operations.key_file import SETTING, Key, list_keys
from operations.owned_file import locked, write_owned
from zelador.errors import NotFound
from zelador.undecodable import UNDECODABLE

LASTS_S = 60.0
MAX_LINKS = 20  # that have not been used; beyond this, the oldest is dropped
PATH = "/console/link/"


class Link(msgspec.Struct, frozen=True):
    digest: str
    key: str  # id of the key that signs in
    until: float  # seconds since 1970 UTC


def make_link(keys_file: Path) -> str:
    """Makes a link for the oldest valid admin key; returns its path. Raises NotFound, Unavailable, Corrupt."""
    key = _admin(keys_file)
    token = secrets.token_urlsafe(32)
    path = where(keys_file)
    with locked(path, SETTING):
        links = [*_waiting(path), Link(_digest(token), key.id, time.time() + LASTS_S)][-MAX_LINKS:]
        write_owned(path, msgspec.json.encode(links), SETTING)
    return f"{PATH}{token}"


def take_link(keys_file: Path, token: str) -> str | None:
    """The id of the key that a link signs in; None if it was used, is too old or is unknown. Raises Unavailable."""
    path = where(keys_file)
    if not path.exists():
        return None
    digest = _digest(token)
    with locked(path, SETTING):
        links = _waiting(path)
        found = next((link for link in links if hmac.compare_digest(link.digest, digest)), None)
        if found is None:
            return None
        write_owned(path, msgspec.json.encode([link for link in links if link is not found]), SETTING)
    return found.key


def where(keys_file: Path) -> Path:
    return keys_file.with_name("sign-in-links.json")


def _admin(keys_file: Path) -> Key:
    for key in list_keys(keys_file):
        if key.role == "admin" and key.state == "valid":
            return key
    raise NotFound(f"{keys_file} has no valid admin key; make one: zelador keys new")


def _waiting(path: Path) -> list[Link]:
    """The links that can still be taken; a damaged file has none."""
    try:
        links = msgspec.json.decode(path.read_bytes(), type=list[Link])
    except (OSError, *UNDECODABLE):
        return []
    now = time.time()
    return [link for link in links if now < link.until <= now + LASTS_S]  # the clock may have been set back


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
