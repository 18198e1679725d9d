"""Checkpoints: the folded state after an entry, so that a cold start reads one file and a tail. Derived from the log.

A checkpoint is compressed, and used only after three checks: zstd's own checksum, the digest of the log entry
that it names and, when a signing key is set, its signature.
"""

from __future__ import annotations

import logging
import re
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import msgspec

from registry.log import entry as log_entry
from registry.log.state import Model, Reservation, Selection, State
from registry.model.columns import pack, unpack
from registry.signing import Keyring
from registry.store import Store
from zelador.errors import Corrupt

FOLDER = "checkpoints"
FILE = re.compile(r"^checkpoints/(\d{8})\.json\.zst$")
FORMAT = 1
FORMAT_RENAMED = 2  # has models whose files are under an earlier name; older versions would collect those files
MAX_CHECKPOINTS = 2
MIN_TAIL = 100  # entries; with a shorter tail a checkpoint costs more than it saves
ZSTD_LEVEL = 9  # compresses 10,000 models in a quarter of a second
MAX_UNPACKED_BYTES = 1 << 30  # so that a hostile file cannot fill the memory

logger = logging.getLogger(__name__)


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    format: int
    registry: str
    seq: int
    head: str
    models: dict[str, Any]  # one column for each field of Model
    history: tuple[Selection, ...]
    earlier: tuple[str, ...]
    reserved: dict[str, Reservation]
    condemned: dict[str, str]
    commits: dict[str, int]
    trusted: int
    signature: str = ""


ROW = tuple(field.name for field in fields(Model))

_decode = msgspec.json.Decoder(Checkpoint).decode


def key(seq: int) -> str:
    return f"{FOLDER}/{seq:08d}.json.zst"


def due(state: State, newest: int) -> bool:
    """True if the tail after the checkpoint of entry `newest` (0: no checkpoint) is long enough for a new one."""
    return state.seq - newest > max(MIN_TAIL, len(state.models) / 8)


def encode(state: State, keyring: Keyring) -> bytes:
    import zstandard

    document = Checkpoint(
        FORMAT_RENAMED if any(model.stored_as for model in state.models.values()) else FORMAT,
        state.registry,
        state.seq,
        state.head or "",
        pack([_row(model) for model in state.models.values()]),
        state.history,
        state.earlier,
        dict(state.reserved),
        dict(state.condemned),
        dict(state.commits),
        state.trusted,
    )
    sealed = keyring.seal("checkpoint", msgspec.json.encode(document).removesuffix(b"}") + b"\n}\n")
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(sealed)


def decode(data: bytes, keyring: Keyring) -> State | None:
    """The state in a checkpoint; None if it is damaged, has an unknown format, or lacks a required signature."""
    import zstandard

    try:
        plain = zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_UNPACKED_BYTES)
        if keyring and not keyring.proves("checkpoint", plain):
            return None
        found = _decode(plain)
        models = msgspec.convert(unpack(found.models), list[Model], strict=True)
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        RuntimeError,
        zstandard.ZstdError,
        msgspec.DecodeError,
        UnicodeError,
        RecursionError,
        Corrupt,
        MemoryError,
    ):
        return None
    if found.format not in (FORMAT, FORMAT_RENAMED):
        return None
    return State(
        found.registry,
        found.seq,
        found.head,
        MappingProxyType({model.name: model for model in models}),
        found.history[-1] if found.history else None,
        found.history,
        found.earlier,
        MappingProxyType(found.reserved),
        MappingProxyType(found.condemned),
        MappingProxyType(found.commits),
        found.trusted,
    )


def _row(model: Model) -> dict[str, Any]:
    return {field: getattr(model, field) for field in ROW}


def numbers(store: Store) -> list[int]:
    """The entry numbers of all checkpoints, newest first."""
    return sorted((int(match[1]) for item in store.list(FOLDER) if (match := FILE.match(item.key))), reverse=True)


def newest(store: Store, keyring: Keyring) -> State | None:
    """The state of the newest usable checkpoint; None if there is none.

    Raises Corrupt when an intact checkpoint does not match the log: the log lost its newest entries, or belongs to
    another registry.
    """
    for seq in numbers(store):
        data = whole(store, seq)
        state = decode(data, keyring) if data is not None else None
        if state is None or state.seq != seq:
            logger.warning("%s cannot be used; reading an older checkpoint or the whole log instead", key(seq))
            continue
        entry = store.read(log_entry.key(seq))
        if entry is None or log_entry.digest(entry) != state.head:
            raise Corrupt(
                f"{key(seq)} was made when the log had entry {seq}, but {log_entry.key(seq)} is now "
                f"{'missing' if entry is None else 'different'}: restore the log from a backup, or remove the folder "
                f"{FOLDER}/ to continue with the log as it is"
            )
        return state
    return None


def whole(store: Store, seq: int) -> bytes | None:
    """The checkpoint's bytes; None if it does not exist, or if something else is in its place."""
    try:
        return store.read(key(seq))
    except Corrupt as error:
        logger.warning("%s", error)
        return None


def write(store: Store, state: State, keyring: Keyring) -> None:
    """Writes a checkpoint of the state and deletes all but the newest two. May raise Unavailable."""
    store.put_stream(key(state.seq), [encode(state, keyring)])  # any other process writes the same content
    for seq in numbers(store)[MAX_CHECKPOINTS:]:
        store.delete(key(seq))
