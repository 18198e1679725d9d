"""Where the registry's files lie: a folder or a bucket, behind the same few calls."""

from registry.store.bucket import Bucket
from registry.store.by_url import open_store
from registry.store.chunks import FileChunks
from registry.store.folder import Folder
from registry.store.store import Item, Store, Uncertain

__all__ = ["Bucket", "FileChunks", "Folder", "Item", "Store", "Uncertain", "open_store"]
