"""Entries of the audit log, as lines of JSON: limited in size when written, and robust to any content when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

MAX_ENTRY = 4_096  # bytes of a line
MAX_VALUE = 1_400  # bytes of `before` and of `after` each; a longer value is replaced by its digest and its beginning
MAX_TEXT = 256  # bytes of each other field
BEGINS = 600  # bytes of the beginning
MAX_LINE = 1_048_576  # bytes of a line that is read; longer lines are skipped
MAX_DEPTH = 32  # nesting of a value that is shown
BLOCK = 65_536
ID = slice(len(b'{"id":"'), len(b'{"id":"') + 20)  # position of the id in a line that `encode` wrote


class ActRecord(msgspec.Struct, frozen=True):
    """An act as it is given to the audit log. `before` and `after` are the changed values, None if there are none."""

    who: str
    what: str
    target: str
    before: Any = None
    after: Any = None
    address: str | None = None
    on_behalf_of: str | None = None  # for an act of the trainer: who requested the run


class Change(msgspec.Struct, frozen=True):
    """An entry of the audit log: an act, with an id and a time. Ids grow with time."""

    id: str
    at: str  # ISO 8601, UTC
    who: str
    what: str
    target: str
    before: Any = None
    after: Any = None
    address: str | None = None
    on_behalf_of: str | None = None


_decoder = msgspec.json.Decoder(Change)


def encode(change: Change) -> bytes:
    """One line of at most MAX_ENTRY bytes."""
    texts = {name: _short(getattr(change, name)) for name in ("who", "what", "target")}
    optional = {
        name: None if (text := getattr(change, name)) is None else _short(text) for name in ("address", "on_behalf_of")
    }
    values = {name: _cut(getattr(change, name)) for name in ("before", "after")}
    line = _json(msgspec.structs.replace(change, **texts, **values, **optional)) + b"\n"
    if len(line) > MAX_ENTRY:
        line = _json(msgspec.structs.replace(change, **texts, before=None, after=None, **optional)) + b"\n"
    return line


def decode(line: bytes) -> Change | None:
    """The entry in a line; None if the line is not an entry."""
    try:
        found = _decoder.decode(line)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
    for name in ("before", "after"):
        if not _is_shallow(getattr(found, name), MAX_DEPTH):
            found = msgspec.structs.replace(found, **{name: {"cut": f"nested deeper than {MAX_DEPTH}"}})
    return found


def is_before(line: bytes, before: str) -> bool:
    """False if the entry's id is certainly not below `before`; does not decode the line."""
    found = line[ID]
    return not found.isdigit() or found.decode() < before


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file, last first, read in blocks. Lines longer than MAX_LINE are skipped."""
    try:
        file = os.fdopen(
            os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
        )  # O_NONBLOCK: a FIFO does not block
    except OSError:
        return
    with file:
        at, rest, too_long = file.seek(0, os.SEEK_END), b"", False
        while at:
            size = min(BLOCK, at)
            at -= size
            file.seek(at)
            block = file.read(size)
            first, *lines = (block if too_long else block + rest).split(b"\n")
            if too_long and lines:
                lines.pop()  # the beginning of the skipped line
                too_long = False
            yield from (line for line in reversed(lines) if line and len(line) <= MAX_LINE)
            rest = b"" if too_long else first
            if len(rest) > MAX_LINE:
                rest, too_long = b"", True
        if rest:
            yield rest


def _short(text: str) -> str:
    """The text, cut to MAX_TEXT bytes as JSON; a cut text ends with the digest of the whole."""
    data = _json(text)
    if len(data) <= MAX_TEXT + 2:
        return text
    kept = 80 if len(data) <= 2 * len(text.encode("utf-8", "replace")) else 20  # escapes take six bytes each
    begins = text.encode("utf-8", "replace")[:kept].decode("utf-8", "ignore")
    return f"{begins}… ({len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()})"


def _cut(value: Any) -> Any:
    try:
        data = _json(value)
    except RecursionError:
        return {"cut": "nested too deep"}
    if len(data) <= MAX_VALUE and _is_shallow(value, MAX_DEPTH):
        return value
    begins = data[:BEGINS].decode("utf-8", "ignore")
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "begins": begins}


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate, which Python uses for a byte of the command line that is not UTF-8
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "xmlcharrefreplace")


def _is_shallow(value: Any, left: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return left > 0 and all(_is_shallow(each, left - 1) for each in inner)
