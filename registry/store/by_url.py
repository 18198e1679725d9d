"""Opens a store by its URL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from registry.store.bucket import SCHEMES, Bucket
from registry.store.folder import Folder
from registry.store.store import REGISTRY, Purpose, Store
from zelador.errors import InvalidInput


def open_store(
    url: str | Path,
    options: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
    make: bool = True,
    purpose: Purpose = REGISTRY,
) -> Store:
    """The store at `url`: a path, a file:// URL or a bucket's URL. Raises InvalidInput for any other URL.

    Without `make`, for reading only, no folder is created.
    """
    text = str(url)
    parts = urlsplit(text)
    if parts.scheme in ("", "file") or isinstance(url, Path):
        path = text if parts.scheme != "file" else unquote(parts.path)
        if not path:
            raise InvalidInput(f"{purpose.setting} is empty; name a folder or a bucket")
        return Folder(Path(path), make, purpose)
    if parts.scheme in SCHEMES:
        if not parts.netloc or parts.username or parts.password or parts.query:
            raise InvalidInput(
                f"{purpose.setting} must look like {parts.scheme}://bucket/prefix, without credentials or options"
            )
        return Bucket(text, options or {}, timeout_s, purpose=purpose)
    raise InvalidInput(f"{purpose.setting}={text!r} is neither a folder nor a bucket ({', '.join(SCHEMES)})")
