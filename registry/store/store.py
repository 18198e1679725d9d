"""The interface of a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from zelador.errors import InvalidInput, Unavailable


class Uncertain(Unavailable):
    """The outcome of a write is unknown. The same key with the same bytes may be tried again."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a store is for: the words in its messages."""

    noun: str = "registry"
    setting: str = "ZELADOR_REGISTRY__URL"


@dataclass(frozen=True, slots=True)
class Item:
    """An existing key. `modified` is in seconds since 1970, by the store's clock."""

    key: str
    modified: float


REGISTRY = Purpose()


class Store(Protocol):
    """Storage of objects by key. Keys are relative paths with `/`. Every call may raise Unavailable."""

    def create(self, key: str, data: bytes) -> bool:
        """Writes `data` if the key does not exist; returns False if it does. Durable when it returns.

        Raises Uncertain when the outcome is unknown. False may also mean that an earlier try of the same write
        succeeded and its answer was lost.
        """

    def read(self, key: str) -> bytes | None:
        """The whole object; None if the key does not exist. Raises Corrupt if it is irregular or too large."""

    def list(self, prefix: str, after: str = "") -> Iterator[Item]:
        """The items below the folder `prefix` whose keys sort after `after`, in order."""

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        """Writes a payload under a key that no other writer uses. Durable when it returns.

        `pieces` is iterated again for each try.
        """

    def copy(self, source: str, key: str) -> None:
        """Copies the payload `source` to a second unique key, without copying its bytes if the store supports it.

        Durable when it returns. Deleting one key does not affect the other.
        """

    def replace(self, key: str, data: bytes) -> None:
        """Writes a derived file. Readers see all of it or none; a power cut may lose it."""

    def delete(self, key: str) -> None:
        """Deletes the key; does nothing if it does not exist."""

    def where(self, key: str) -> str:
        """The path or URL of a key, for display."""


def parts_of(key: str) -> tuple[str, ...]:
    """The parts of a key. Raises InvalidInput for a key that would lead out of the store."""
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or any(part in ("..", ".") or "\0" in part for part in parts):
        raise InvalidInput(f"{key!r} is not a valid key")
    return parts
