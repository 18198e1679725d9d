"""What a store can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from zelador.errors import InvalidInput, Unavailable


class Uncertain(Unavailable):
    """A write whose outcome is not known: the same key with the same bytes may be tried again."""


@dataclass(frozen=True, slots=True)
class Item:
    """A key that there is; `modified` in seconds since 1970, by the store's own clock."""

    key: str
    modified: float


class Store(Protocol):
    """Keys are relative paths with `/`. Every call may raise Unavailable."""

    def create(self, key: str, data: bytes) -> bool:
        """Writes `data` if nothing has that key; False if something has. Durable when it returns.

        Raises Uncertain when it cannot be told which. False may also be a lost answer to our own write.
        """

    def read(self, key: str) -> bytes | None:
        """The whole object; None if there is none. Raises Corrupt for what is no regular file, or too large."""

    def list(self, prefix: str, after: str = "") -> Iterator[Item]:
        """What lies below the folder `prefix` and sorts behind `after`, in order."""

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        """Writes a payload under a key that nobody else uses; durable when it returns.

        `pieces` are gone through again for another try.
        """

    def replace(self, key: str, data: bytes) -> None:
        """Writes a derived file, whole or not at all for a reader; a cut of power may take it."""

    def delete(self, key: str) -> None:
        """Removes it; nothing happens when it is not there."""

    def where(self, key: str) -> str:
        """The path or URL of a key, for people."""


def parts_of(key: str) -> tuple[str, ...]:
    """No key leads out of the store: ids and checked names are all that keys are made of. Raises InvalidInput."""
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or any(part in ("..", ".") or "\0" in part for part in parts):
        raise InvalidInput(f"{key!r} is not a key")
    return parts
