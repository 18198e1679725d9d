"""When each key was last used: beside the keys, to the minute; nothing but a help for whoever tidies up."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import msgspec

from operations.key_file import now, write_owned
from zelador.errors import Unavailable

EVERY_S = 60.0  # at most so often is a key's use written

log = logging.getLogger(__name__)


class LastUse:
    def __init__(self, keys_file: Path) -> None:
        self._path = where(keys_file)
        self._lock = threading.Lock()
        self._noted: dict[str, float] = {}

    def note(self, identity: str) -> bool:
        """Whether this use is to be written (`write`), which is a matter of a minute."""
        moment = time.monotonic()
        if moment - self._noted.get(identity, -EVERY_S) < EVERY_S:
            return False
        self._noted[identity] = moment
        return True

    def write(self, identity: str) -> None:
        """Never raises: a use that was not noted hurts nobody."""
        with self._lock:
            try:
                uses = {**read(self._path), identity: now()}
                write_owned(self._path, msgspec.json.encode(uses))
            except Unavailable as error:
                log.warning("the last use of key %s was not noted: %s", identity, error)


def where(keys_file: Path) -> Path:
    return keys_file.with_name(f"{keys_file.stem}-used.json")


def read(path: Path) -> dict[str, str]:
    """By the keys' ids; empty where nothing was noted."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}
