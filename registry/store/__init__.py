"""Storage of the registry's files: a folder or a bucket, with the same interface."""

from registry.store.bucket import Bucket
from registry.store.by_url import open_store
from registry.store.chunks import FileChunks
from registry.store.folder import Folder
from registry.store.store import Item, Purpose, Store, Uncertain

__all__ = ["Bucket", "FileChunks", "Folder", "Item", "Purpose", "Store", "Uncertain", "open_store"]
