"""The log: one entry a change, each with the digest of the one before. Bytes in, values out; no I/O, no clock."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec

from zelador.errors import Corrupt

FOLDER = "log"
FILE = re.compile(r"^\d{8}\.json$")  # anything else in the folder is a stray


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change, or several that belong together (`ops`: all of them or none)."""

    seq: int
    previous: str | None  # SHA-256 of the bytes of the entry before; None for the first
    commit: str  # unique: tells our own entry from another's
    at: str  # ISO 8601, UTC
    by: str
    why: str
    ops: tuple[dict[str, Any], ...]  # each has "op", one of fold.OPERATIONS
    signature: str = ""  # signing.py writes and checks it on the bytes


_decode = msgspec.json.Decoder(Entry).decode


def key(seq: int) -> str:
    return f"{FOLDER}/{seq:08d}.json"


def encode(entry: Entry) -> bytes:
    """Indented, so that a person can read it; the same bytes for the same entry. Without its signature."""
    plain = msgspec.to_builtins(entry)
    del plain["signature"]
    return (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode()


def decode(data: bytes, seq: int, previous: str | None) -> Entry:
    """The entry in `data`, if it is the one with number `seq` that follows the digest `previous`. Raises Corrupt."""
    try:
        entry = _decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Corrupt(f"{key(seq)} cannot be read ({error}); restore the registry from a backup") from None
    if entry.seq != seq or entry.previous != previous:
        raise Corrupt(
            f"{key(seq)} does not follow the entry before it: the log was changed, or mixed with another; "
            "restore the registry from a backup"
        )
    return entry


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
