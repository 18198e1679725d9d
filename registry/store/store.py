"""What a store can do, and how one is found by its URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from zelador.errors import InvalidInput, Unavailable


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


def open_store(url: str | Path) -> Store:
    """The store behind `url`: a path or file:// URL. Raises InvalidInput for what we do not have."""
    from registry.store.folder import Folder

    text = str(url)
    parts = urlsplit(text)
    if parts.scheme in ("", "file") or isinstance(url, Path):
        path = text if parts.scheme != "file" else unquote(parts.path)
        if not path:
            raise InvalidInput("ZELADOR_REGISTRY__URL is empty; name a folder")
        return Folder(Path(path))
    if parts.scheme in ("s3", "gs", "az", "abfs"):
        raise InvalidInput(f"{parts.scheme}:// cannot be used yet: buckets come with a later version; name a folder")
    raise InvalidInput(f"ZELADOR_REGISTRY__URL={text!r} is neither a folder nor a URL that we know")
