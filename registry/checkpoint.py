"""Checkpoints: the folded state at an entry, so that a cold start reads one file and a tail. Derived, never the truth.

Compressed, and checked three times before it is believed: zstd's own checksum, the digest of the log's entry
that it names, and, where a key is set, its signature.
"""

from __future__ import annotations

import logging
import re
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import msgspec

from registry import log
from registry.columns import pack, unpack
from registry.signing import Keyring
from registry.state import Model, Reservation, Selection, State
from registry.store import Store
from zelador.errors import Corrupt

FOLDER = "checkpoints"
FILE = re.compile(r"^checkpoints/(\d{8})\.json\.zst$")
FORMAT = 1
WITH_RENAMED = 2  # a model's files lie under another name: a Zelador that does not know it would collect them
KEPT = 2
LEAST_TAIL = 100  # entries; below it a checkpoint costs more than it saves
LEVEL = 9  # of zstd: 10,000 models in a quarter of a second
LARGEST = 1 << 30  # bytes unpacked: a bound against a file that was made to fill the memory

logger = logging.getLogger(__name__)


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    format: int
    registry: str
    seq: int
    head: str
    models: dict[str, Any]  # columns of Model's fields
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
    """Whether the tail behind the checkpoint of entry `newest` (0: there is none) has grown long."""
    return state.seq - newest > max(LEAST_TAIL, len(state.models) / 8)


def encode(state: State, keyring: Keyring) -> bytes:
    import zstandard

    document = Checkpoint(
        WITH_RENAMED if any(model.stored_as for model in state.models.values()) else FORMAT,
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
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(sealed)


def decode(data: bytes, keyring: Keyring) -> State | None:
    """The state in a checkpoint; None when it is damaged, of another format, or not signed where it must be."""
    import zstandard

    try:
        plain = zstandard.ZstdDecompressor().decompress(data, max_output_size=LARGEST)
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
    if found.format not in (FORMAT, WITH_RENAMED):
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
    """Of the checkpoints there are, the newest first."""
    return sorted((int(match[1]) for item in store.list(FOLDER) if (match := FILE.match(item.key))), reverse=True)


def newest(store: Store, keyring: Keyring) -> State | None:
    """The newest state that is whole and belongs to this log.

    Raises Corrupt when a whole checkpoint does not: the log lost its newest entries, or is another registry's.
    """
    for seq in numbers(store):
        data = whole(store, seq)
        state = decode(data, keyring) if data is not None else None
        if state is None or state.seq != seq:
            logger.warning("%s cannot be used; an older one, or the log alone, says the same", key(seq))
            continue
        entry = store.read(log.key(seq))
        if entry is None or log.digest(entry) != state.head:
            raise Corrupt(
                f"{key(seq)} was made of a log that reached entry {seq}, and {log.key(seq)} is "
                f"{'missing' if entry is None else 'another'}: restore the log from a backup, or remove the folder "
                f"{FOLDER}/ to go on with what is there"
            )
        return state
    return None


def whole(store: Store, seq: int) -> bytes | None:
    """The checkpoint's bytes; None where there is none, or something else in its place."""
    try:
        return store.read(key(seq))
    except Corrupt as error:
        logger.warning("%s", error)
        return None


def write(store: Store, state: State, keyring: Keyring) -> None:
    """Writes the state's checkpoint and removes all but the newest two. May raise Unavailable."""
    store.put_stream(key(state.seq), [encode(state, keyring)])  # who else writes it writes the same
    for seq in numbers(store)[KEPT:]:
        store.delete(key(seq))
