"""Entries of the log: one per change, each with the digest of the previous one. No I/O, no clock."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec

from zelador.errors import Corrupt
from zelador.undecodable import UNDECODABLE

FOLDER = "log"
FILE = re.compile(r"^\d{8}\.json$")  # any other file in the folder is ignored


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change, or several that are applied together: all of `ops` or none."""

    seq: int
    previous: str | None  # SHA-256 of the previous entry's bytes; None for the first entry
    commit: str  # a unique id, by which a writer recognizes its own entry
    at: str  # ISO 8601, UTC
    by: str
    why: str
    ops: tuple[dict[str, Any], ...]  # each has a key "op": one of fold.OPERATIONS
    signature: str = ""  # signing.py adds and checks it on the encoded bytes


_decode = msgspec.json.Decoder(Entry).decode


def key(seq: int) -> str:
    return f"{FOLDER}/{seq:08d}.json"


def encode(entry: Entry) -> bytes:
    """The entry as indented JSON, without its signature. Equal entries give equal bytes."""
    plain = msgspec.to_builtins(entry)
    del plain["signature"]
    return (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode()


def decode(data: bytes, seq: int, previous: str | None) -> Entry:
    """The entry in `data`. Raises Corrupt unless its number is `seq` and it follows the digest `previous`."""
    try:
        entry = _decode(data)
    except UNDECODABLE as error:
        raise Corrupt(f"{key(seq)} cannot be read ({error}); restore the registry from a backup") from None
    if entry.seq != seq or entry.previous != previous:
        raise Corrupt(
            f"{key(seq)} does not follow the previous entry: the log was modified or mixed with another one; "
            "restore the registry from a backup"
        )
    return entry


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
