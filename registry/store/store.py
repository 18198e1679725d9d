"""What a store can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from zelador.errors import Unavailable


class Uncertain(Unavailable):
    """A write whose outcome is not known: the same key with the same bytes may be tried again."""


class Store(Protocol):
    """Keys are relative paths with `/`. Every call may raise Unavailable."""

    def create(self, key: str, data: bytes) -> bool:
        """Writes `data` if nothing has that key; False if something has. Durable when it returns.

        Raises Uncertain when it cannot be told which.
        """

    def read(self, key: str) -> bytes | None:
        """The whole object; None if there is none."""

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys below the folder `prefix` that sort behind `after`, in order."""

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        """Writes a payload under a key that nobody else uses; durable when it returns."""

    def replace(self, key: str, data: bytes) -> None:
        """Writes a derived file, whole or not at all; a reader never sees a part."""

    def delete(self, key: str) -> None:
        """Removes it; nothing happens when it is not there."""

    def where(self, key: str) -> str:
        """The path or URL of a key, for people."""
