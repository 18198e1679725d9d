"""Training runs in the store: the run's document, and its candidates' files until they are registered or expire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from registry import manifest
from registry.manifest import Manifest
from registry.names import NAME, check_name
from registry.payload import Payload
from registry.signing import Keyring
from registry.store import Store
from zelador.errors import Corrupt, NotFound


class Runs:
    def __init__(self, store: Store, keyring: Keyring, payload: Payload) -> None:
        self._store = store
        self._keyring = keyring
        self._payload = payload

    def put(self, run: str, document: Mapping[str, Any]) -> None:
        """Writes (or writes anew) the run's document."""
        data = json.dumps(document, indent=2, ensure_ascii=False).encode()
        self._store.put_stream(f"runs/{check_name(run)}/run.json", [data])

    def get(self, run: str) -> dict[str, Any]:
        """Raises NotFound."""
        data = self._store.read(f"runs/{check_name(run)}/run.json")
        if data is None:
            raise NotFound(f"there is no run {run!r}")
        try:
            found = msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Corrupt(f"run.json of {run} cannot be read ({error}); remove runs/{run}, or restore it") from None
        return found

    def ids(self) -> list[str]:
        """Of all runs, oldest first."""
        keys = (item.key for item in self._store.list("runs"))
        found = {key.split("/")[1] for key in keys if key.endswith("/run.json") and key.count("/") == 2}
        return sorted(run for run in found if NAME.fullmatch(run))  # what else lies there is none of ours

    def put_candidate(self, run: str, rank: int, files: Mapping[str, bytes]) -> None:
        """Keeps a candidate, to be registered now or weeks later; `files` has its manifest too, which goes last."""
        folder = _folder(run, rank)
        for path, data in files.items():
            if path != manifest.FILE:
                self._store.put_stream(f"{folder}/{path}", [data])
        sealed = self._keyring.seal("manifest", files[manifest.FILE])
        self._store.put_stream(f"{folder}/{manifest.FILE}", [sealed])

    def candidate(self, run: str, rank: int) -> tuple[Manifest, dict[str, bytes]]:
        """A kept candidate, its files checked. Raises NotFound, ModelRefused."""
        folder, called = _folder(run, rank), f"candidate {rank} of run {run}"
        data = self._store.read(f"{folder}/{manifest.FILE}")
        if data is None:
            raise NotFound(f"run {run!r} has no candidate {rank}")
        self._payload.check_signed(called, data)
        try:
            kept = msgspec.json.decode(data, type=Manifest)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise manifest.refused(called, f"{manifest.FILE} cannot be read: {error}") from None
        files = {}
        for path in kept.files:
            found = self._store.read(f"{folder}/{path}")
            files[path] = manifest.check_file(kept.name, path, found or b"", kept.files)
        return kept, files


def _folder(run: str, rank: int) -> str:
    return f"runs/{check_name(run)}/candidates/{int(rank)}"
