"""Where the registry's files lie: a folder today, buckets behind the same few calls later."""

from registry.store.by_url import open_store
from registry.store.folder import Folder
from registry.store.store import Store, Uncertain

__all__ = ["Folder", "Store", "Uncertain", "open_store"]
