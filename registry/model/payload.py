"""A model's files in the store: written once under a unique id, and checked at every read."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from registry.errors import ModelNotFound
from registry.log.state import Model
from registry.model import manifest
from registry.model.artifact import ONNX, PIPELINE
from registry.model.manifest import Manifest
from registry.model.manifest_shape import shown
from registry.signing import Keyring
from registry.store import Store
from zelador.errors import Corrupt

FOLDER = "models"


@dataclass(frozen=True, slots=True)
class Placed:
    """Files in the store that no log entry names yet."""

    upload: str
    digest: str


class Payload:
    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    def put(self, name: str, files: Mapping[str, bytes], saved: Manifest) -> Placed:
        """Writes the files, the manifest last: if it exists, the others do too."""
        upload = uuid.uuid4().hex
        target = f"{FOLDER}/{name}/{upload}"
        for path, data in files.items():
            self._store.put_stream(f"{target}/{path}", [data])
        return self._seal(target, upload, saved)

    def copy(self, source: str, saved: Manifest) -> Placed:
        """Places files like `put`, from the folder `source` of the store, whose bytes are linked and not copied.

        If they were changed after a check, every load detects it by the digests in `saved`.
        """
        upload = uuid.uuid4().hex
        target = f"{FOLDER}/{saved.name}/{upload}"
        for path in saved.files:
            self._store.copy(f"{source}/{path}", f"{target}/{path}")
        return self._seal(target, upload, saved)

    def _seal(self, target: str, upload: str, saved: Manifest) -> Placed:
        sealed = self._keyring.seal("manifest", manifest.encode(saved))
        self._store.put_stream(f"{target}/{manifest.FILE}", [sealed])
        return Placed(upload, manifest.describe(sealed).sha256)

    def manifest(self, model: Model, trusted: int) -> Manifest:
        """The manifest of a registered model, with its current name (the file has the first one, and never changes).

        `trusted`: a model registered up to that entry needs no signature.

        Raises ModelNotFound, ModelRefused.
        """
        data = self._store.read(f"{folder(model)}/{manifest.FILE}")
        if data is None:
            raise ModelNotFound(f"the files of {model.name} are missing; restore the registry from a backup")
        found = manifest.decode(data, model.name, model.digest)
        if model.seq > trusted:
            self.check_signed(model.name, data)
        metadata, damaged = shown(found.metadata)  # old metadata may be unchecked
        if found.name == model.name and not damaged:
            return found
        return msgspec.structs.replace(found, name=model.name, metadata=dict(metadata))

    def signed_manifest(self, model: Model) -> bytes | None:
        """The manifest's bytes, if a key of this registry signed them."""
        data = self._store.read(f"{folder(model)}/{manifest.FILE}")
        try:
            return data if data is not None and self._keyring.proves("manifest", data) else None
        except Corrupt:
            return None

    def check_signed(self, name: str, data: bytes) -> None:
        """Raises ModelRefused unless a key of this registry signed the manifest, or the registry has no key."""
        if not self._keyring:
            return
        try:
            if self._keyring.proves("manifest", data):
                return
        except Corrupt as error:
            raise manifest.refused(name, f"{manifest.FILE}: {error}") from None
        raise manifest.refused(name, f"{manifest.FILE} is not signed by a key of ZELADOR_REGISTRY__SIGNING_KEY")

    def file(self, model: Model, found: Manifest, path: str) -> bytes:
        """The content of a file. Raises ModelNotFound, ModelRefused."""
        if path not in found.files:
            raise ModelNotFound(f"{model.name} has no file {path!r}")
        data = self._store.read(f"{folder(model)}/{path}")
        if data is None:
            raise ModelNotFound(f"{path} of {model.name} is missing; restore the registry from a backup")
        return manifest.check_file(model.name, path, data, found.files)

    def remove(self, key: str) -> None:
        """Deletes the files of a condemned upload (`name/upload`)."""
        for item in list(self._store.list(f"{FOLDER}/{key}")):
            self._store.delete(item.key)

    def where(self, model: Model) -> str:
        return self._store.where(path_of(model))


def folder(model: Model) -> str:
    return f"{FOLDER}/{model.payload}"


def path_of(model: Model) -> str:
    """The key of the model's artifact, relative to the store."""
    return f"{folder(model)}/{ONNX if model.metadata.get('compiled_only') else PIPELINE}"
