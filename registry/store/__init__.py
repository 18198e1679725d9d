"""Where the registry's files lie: a folder today, buckets behind the same few calls later."""

from registry.store.folder import Folder
from registry.store.store import Store, Uncertain, open_store

__all__ = ["Folder", "Store", "Uncertain", "open_store"]
