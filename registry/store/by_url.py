"""How a store is found by its URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from registry.store.folder import Folder
from registry.store.store import Store
from zelador.errors import InvalidInput


def open_store(url: str | Path) -> Store:
    """The store behind `url`: a path or file:// URL. Raises InvalidInput for what we do not have."""
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
