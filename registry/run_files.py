"""The files of a training run in the store: its document, and its candidates until they expire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import msgspec

from registry.model import manifest
from registry.model.manifest import Manifest
from registry.model.payload import Payload, Placed
from registry.names import NAME, check_name
from registry.run_document import RunDocument, in_order
from registry.signing import Keyring
from registry.store import FileChunks, Store
from zelador.errors import Corrupt, NotFound
from zelador.undecodable import UNDECODABLE


class RunFiles:
    def __init__(self, store: Store, keyring: Keyring, payload: Payload) -> None:
        self._store = store
        self._keyring = keyring
        self._payload = payload

    def put(self, run: str, document: RunDocument) -> None:
        """Writes the run's document, or replaces it."""
        data = json.dumps(in_order(document), indent=2, ensure_ascii=False).encode()
        self._store.put_stream(_document(run), [data])

    def get(self, run: str) -> RunDocument:
        """The run's document, with the keys of later versions. Raises NotFound, Corrupt."""
        data = self._store.read(_document(run))
        if data is None:
            raise NotFound(f"there is no run {run!r}")
        try:
            found = json.loads(data)
            msgspec.convert(found, RunDocument)
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
            raise Corrupt(
                f"{_document(run)} is not a run's document ({error}); restore it from a backup, or delete it"
            ) from None
        return cast(RunDocument, found)

    def has(self, run: str) -> bool:
        return self._store.read(_document(run)) is not None

    def put_file(self, run: str, name: str, data: bytes) -> None:
        """Writes a file beside the run's document."""
        self._store.put_stream(f"runs/{check_name(run)}/{check_name(name)}", [data])

    def put_events(self, run: str, data: bytes) -> None:
        """Writes the run's events, or replaces them: readers see all of them or none."""
        self._store.replace(_events(run), data)

    def events(self, run: str) -> bytes | None:
        """The run's events as they were written; None if there are none."""
        return self._store.read(_events(run))

    def ids(self) -> list[str]:
        """The ids of all runs, oldest first."""
        keys = (item.key for item in self._store.list("runs"))
        found = {key.split("/")[1] for key in keys if key.endswith("/run.json") and key.count("/") == 2}
        return sorted(run for run in found if NAME.fullmatch(run))  # ignore anything else

    def put_candidate(self, run: str, rank: int, source: Path) -> None:
        """Stores the candidate whose files are in the local folder `source`. Its manifest is written last."""
        folder = _folder(run, rank)
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            path = file.relative_to(source).as_posix()
            if path != manifest.FILE:
                self._store.put_stream(f"{folder}/{path}", FileChunks(file))
        sealed = self._keyring.seal("manifest", (source / manifest.FILE).read_bytes())
        self._store.put_stream(f"{folder}/{manifest.FILE}", [sealed])

    def candidate(self, run: str, rank: int) -> Manifest:
        """The manifest of a stored candidate; checks each of its files. Raises NotFound, ModelRefused."""
        folder, kept = _folder(run, rank), self._manifest(run, rank)
        for path in kept.files:
            manifest.check_file(kept.name, path, self._store.read(f"{folder}/{path}") or b"", kept.files)
        return kept

    def candidate_file(self, run: str, rank: int, path: str) -> bytes:
        """One file of a stored candidate, checked. Raises NotFound, ModelRefused."""
        kept = self._manifest(run, rank)
        data = self._store.read(f"{_folder(run, rank)}/{path}") if path in kept.files else None
        if data is None:
            raise NotFound(f"candidate {rank} of run {run} has no file {path[:100]!r}")
        manifest.check_file(kept.name, path, data, kept.files)
        return data

    def _manifest(self, run: str, rank: int) -> Manifest:
        called = f"candidate {rank} of run {run}"
        data = self._store.read(f"{_folder(run, rank)}/{manifest.FILE}")
        if data is None:
            raise NotFound(f"run {run!r} has no candidate {rank}")
        self._payload.check_signed(called, data)
        try:
            return msgspec.json.decode(data, type=Manifest)
        except UNDECODABLE as error:
            raise manifest.refused(called, f"{manifest.FILE} cannot be read: {error}") from None

    def ranks(self, run: str) -> tuple[int, ...]:
        """The ranks of the run's stored candidates, in order."""
        keys = (item.key.split("/") for item in self._store.list(f"runs/{check_name(run)}/candidates"))
        found = {names[3] for names in keys if len(names) == 5 and names[4] == manifest.FILE}
        return tuple(sorted(int(rank) for rank in found if rank.isdecimal()))

    def copy_candidate(self, run: str, rank: int, saved: Manifest) -> Placed:
        """Places the candidate's files as an upload of `saved`."""
        return self._payload.copy(_folder(run, rank), saved)


def _document(run: str) -> str:
    return f"runs/{check_name(run)}/run.json"


def _events(run: str) -> str:
    return f"runs/{check_name(run)}/events.json"


def _folder(run: str, rank: int) -> str:
    return f"runs/{check_name(run)}/candidates/{int(rank)}"
