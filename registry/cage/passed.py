"""Records which models passed the cage or were made here, so that a restarted worker does not check them again.

With a signing key, the record is a signed file beside the model: all machines share it, and only holders of the key
can write it. Without a key anyone with write access could: then it is an empty file of this user on this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
from pathlib import Path
from typing import Literal

from registry.log.state import Model
from registry.model.payload import folder
from registry.signing import Keyring
from registry.store import Store
from zelador.errors import Corrupt, Unavailable

log = logging.getLogger(__name__)

Use = Literal["serving", "pipeline"]
VERSION = 1  # of the checks: a model that passed an older version is checked again


class PassedModels:
    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._seen: set[tuple[str, Use]] = set()

    def known(self, model: Model, use: Use) -> bool:
        if (model.digest, use) in self._seen:
            return True
        if not (self._signed(model, use) or _marked(_mark(model, use))):
            return False
        self._seen.add((model.digest, use))
        return True

    def note(self, model: Model, use: Use) -> None:
        """Records that the model passed. Never fails."""
        self._seen.add((model.digest, use))
        if self._keyring:
            try:
                self._store.replace(_key(model, use), self._keyring.seal("passed", _fact(model, use)))
                return
            except Unavailable as error:
                log.info("only this machine records that %s passed: %s", model.name, error)
        _write(_mark(model, use))

    def _signed(self, model: Model, use: Use) -> bool:
        if not self._keyring:
            return False
        found = self._store.read(_key(model, use))
        if found is None:
            return False
        try:
            return found.startswith(_fact(model, use).removesuffix(b"\n}\n")) and self._keyring.proves("passed", found)
        except Corrupt:
            return False


def _key(model: Model, use: Use) -> str:
    return f"{folder(model)}/passed-{use}.json"


def _fact(model: Model, use: Use) -> bytes:
    """The record as the JSON object to sign."""
    return f'{{\n  "version": {VERSION},\n  "use": "{use}",\n  "digest": "{model.digest}"\n}}\n'.encode()


def _mark(model: Model, use: Use) -> Path | None:
    """The path of the local record; None for a user without a home. The name contains the version of the checks."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return cache / "zelador" / "passed" / hashlib.sha256(_fact(model, use)).hexdigest()


def _marked(mark: Path | None) -> bool:
    """True if only this user can have created the file."""
    if mark is None:
        return False
    try:
        of_folder, of_file = mark.parent.lstat(), mark.lstat()
    except OSError:
        return False
    private = of_folder.st_uid == os.geteuid() and not of_folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return private and stat.S_ISDIR(of_folder.st_mode) and of_file.st_uid == os.geteuid()


def _write(mark: Path | None) -> None:
    if mark is None:
        return
    with contextlib.suppress(OSError):
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.parent.chmod(0o700)
        mark.touch(mode=0o600)
