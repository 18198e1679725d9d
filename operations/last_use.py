"""The time when each key was last used, to the minute, in a file beside the keys. Helps to find unused keys."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import msgspec

from operations.key_file import SETTING
from operations.owned_file import write_owned
from zelador.clock import now_iso_second
from zelador.errors import Unavailable
from zelador.undecodable import UNDECODABLE

EVERY_S = 60.0  # minimum time between two writes for one key

log = logging.getLogger(__name__)


class LastUse:
    def __init__(self, keys_file: Path) -> None:
        self._path = where(keys_file)
        self._lock = threading.Lock()
        self._noted: dict[str, float] = {}

    def note(self, identity: str) -> bool:
        """Records a use; True if it is time to `write` it."""
        moment = time.monotonic()
        if moment - self._noted.get(identity, -EVERY_S) < EVERY_S:
            return False
        self._noted[identity] = moment
        return True

    def write(self, identity: str) -> None:
        """Writes the time of the last use. Never raises, because a lost time is harmless."""
        with self._lock:
            try:
                uses = {**read(self._path), identity: now_iso_second()}
                write_owned(self._path, msgspec.json.encode(uses), SETTING)
            except Unavailable as error:
                log.warning("the last use of key %s was not recorded: %s", identity, error)


def where(keys_file: Path) -> Path:
    return keys_file.with_name(f"{keys_file.stem}-used.json")


def read(path: Path) -> dict[str, str]:
    """Times of last use, by key id; empty if none was recorded."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, *UNDECODABLE):
        return {}
