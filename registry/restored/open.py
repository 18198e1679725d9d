"""Opens the registry for a service, which creates one only where no other is known.

A mistyped ZELADOR_REGISTRY__URL would otherwise leave a new, empty registry there, without a model.
"""

from __future__ import annotations

from registry.registry import Registry
from registry.restored.last_seen import ask
from registry.store import open_store
from registry.store.folder import Folder
from zelador.errors import NotFound
from zelador.settings import Settings


def open_registry(settings: Settings) -> Registry:
    """The registry of the settings; a new one if there is none.

    Raises NotFound if the folder is not there and Redis knows a registry; Unavailable, InvalidInput or Corrupt as
    `Registry.open`.
    """
    store = open_store(settings.registry.url, make=False)
    if isinstance(store, Folder) and not store.path.exists():
        seen, _ = ask(settings.redis)
        if seen is not None:
            raise NotFound(
                f"there is no registry at {store.path} (ZELADOR_REGISTRY__URL), but {seen.by} has used one with this "
                f"Redis, entry {seen.seq} at {seen.at}: correct the path, restore the registry, or create this folder "
                "to begin a new one"
            )
    return Registry.open(settings.registry)
