"""Holds uploaded tables until they are imported: a few, for an hour, each only for the key that uploaded it."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from zelador.errors import NotFound

MAX_FILES = 16  # of all keys together; each is at most as large as a request's body
LASTS_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Upload:
    owner: str  # the id of a key
    name: str  # of the file
    data: bytes
    at: float  # seconds since 1970 UTC


class Uploads:
    """Uploaded tables. Beyond MAX_FILES, the oldest is dropped. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._files: OrderedDict[str, Upload] = OrderedDict()

    def keep(self, owner: str, name: str, data: bytes) -> str:
        """Keeps a file, and returns the token for `get`."""
        token = secrets.token_urlsafe(12)
        with self._lock:
            self._drop_old()
            self._files[token] = Upload(owner, name, data, self._clock())
            while len(self._files) > MAX_FILES:
                self._files.popitem(last=False)
        return token

    def get(self, token: str, owner: str) -> Upload:
        """Returns a file. Raises NotFound, also for a file of another key."""
        with self._lock:
            self._drop_old()
            found = self._files.get(token)
        if found is None or found.owner != owner:
            raise NotFound("the file was removed, because files are kept for an hour at most; upload it again")
        return found

    def drop(self, token: str, owner: str) -> None:
        with self._lock:
            found = self._files.get(token)
            if found is not None and found.owner == owner:
                del self._files[token]

    def _drop_old(self) -> None:
        oldest = self._clock() - LASTS_S
        for token in [token for token, each in self._files.items() if each.at < oldest]:
            del self._files[token]
