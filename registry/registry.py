"""The registry: models by name, written once, with one log that says which of them are registered and selected."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from registry import golden, manifest
from registry.artefact import PIPELINE, Upload, manifest_of, open_classifier, pack, serving_file
from registry.classifier import Classifier
from registry.commit import Log
from registry.errors import DuplicateName, ModelNotFound
from registry.integrity import load_pipeline
from registry.manifest import Feature, Manifest
from registry.names import check_name
from registry.state import Model, Selection, State
from registry.store import Store, open_store
from zelador.errors import NotFound, ZeladorError

__all__ = ["Feature", "Model", "Registry", "Selection", "State", "Upload"]

log = logging.getLogger(__name__)

INDEX = "registry.json"
README = """This folder is a Zelador registry.

log/            the truth: one entry a change, each with the digest of the one before; never edit or remove one
models/         payload, written once; only the log says which of it is registered
runs/           training runs with their candidates
registry.json   derived from the log for people and old scripts; never read by Zelador
"""


class Registry:
    """Safe for threads, processes and machines at once; see docs/decisions/0003-registry-log.md."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log = Log(store)

    @classmethod
    def open(cls, url: str | Path) -> Registry:
        """The registry at `url`, made if it is not there. Raises InvalidInput, Unavailable, Corrupt."""
        registry = cls(open_store(url))
        if registry._log.sync().seq == 0:
            registry._begin()
        return registry

    @property
    def state(self) -> State:
        """As last read; `sync` and `changed` read."""
        return self._log.state

    def sync(self) -> State:
        """The present state. Raises Corrupt when the log was replaced under us."""
        return self._log.sync()

    def changed(self) -> bool:
        """Whether something new was in the log: one read when there is not."""
        return self._log.changed()

    # ── saving and loading ───────────────────────────────────────────────────────────────────

    def save(self, name: str, upload: Upload, *, by: str, why: str = "") -> Model:
        """Registers a model under a name that is free. Raises DuplicateName, TypeRefused, InvalidInput."""
        self._check_free(name)
        return self._register(name, pack(upload, name), upload, by, why)

    def load(self, name: str) -> Classifier:
        """Raises ModelNotFound; ModelRefused when a digest, a type or a golden row is not as it was saved."""
        model = self._model(name)
        found = self._manifest(model)
        files = {path: self._file(model, found, path) for path in (serving_file(found), golden.FILE)}
        return open_classifier(found, model.digest, files)

    def pipeline(self, name: str) -> Any:
        """The scikit-learn estimator itself. Raises as `load`."""
        model = self._model(name)
        return load_pipeline(name, self._file(model, self._manifest(model), PIPELINE))

    def manifest(self, name: str) -> Manifest:
        return self._manifest(self._model(name))

    def file(self, name: str, path: str) -> bytes:
        """One of the model's files, as the manifest names it, with its digest checked."""
        model = self._model(name)
        return self._file(model, self._manifest(model), path)

    def where(self, model: Model) -> str:
        """Path or URL of the model's artefact, for people."""
        return self._store.where(f"{self._folder(model.name, model.upload)}/{PIPELINE}")

    # ── changes ──────────────────────────────────────────────────────────────────────────────

    def select(self, name: str, *, by: str, why: str = "", if_match: str | None = None) -> Selection:
        """Makes `name` the model that every worker takes up. Raises ModelNotFound, Moved."""
        state = self._commit([{"op": "select", "name": name}], by, why, if_match)
        assert state.selection is not None  # noqa: S101 - the fold of a select sets it
        return state.selection

    def annotate(
        self, name: str, metadata: Mapping[str, Any], *, by: str, why: str = "", if_match: str | None = None
    ) -> Model:
        """Sets or replaces keys of the model's metadata; the model itself never changes."""
        return self._commit([{"op": "annotate", "name": name, "metadata": dict(metadata)}], by, why, if_match).models[
            name
        ]

    def delete(self, name: str, *, by: str, why: str = "", if_match: str | None = None) -> None:
        """Removes the model and its files; its entries stay in the log. Raises ModelSelected, ModelNotFound, Moved."""
        model = self._model(name)
        self._commit([{"op": "delete", "name": name}], by, why, if_match)
        folder = self._folder(model.name, model.upload)
        for key in list(self._store.list(folder)):
            self._store.delete(key)

    # ── training runs ────────────────────────────────────────────────────────────────────────

    def put_run(self, run: str, document: Mapping[str, Any]) -> None:
        """Writes (or writes anew) the run's document."""
        data = json.dumps(document, indent=2, ensure_ascii=False).encode()
        self._store.replace(f"runs/{check_name(run)}/run.json", data)

    def run(self, run: str) -> dict[str, Any]:
        """Raises NotFound."""
        data = self._store.read(f"runs/{check_name(run)}/run.json")
        if data is None:
            raise NotFound(f"there is no run {run!r}")
        found: dict[str, Any] = json.loads(data)
        return found

    def runs(self) -> list[str]:
        """The ids of all runs, oldest first."""
        return sorted({key.split("/")[1] for key in self._store.list("runs") if key.endswith("/run.json")})

    def put_candidate(self, run: str, rank: int, files: Mapping[str, bytes]) -> None:
        """Keeps a candidate of a run, to be registered now or weeks later; `files` has its manifest too."""
        folder = self._candidate(run, rank)
        for path in sorted(files, key=lambda path: path == manifest.FILE):  # the manifest last
            self._store.put_stream(f"{folder}/{path}", [files[path]])

    def register_candidate(self, run: str, rank: int, name: str, *, by: str, why: str = "") -> Model:
        """Registers a kept candidate under `name`. Raises NotFound, DuplicateName, ModelRefused."""
        self._check_free(name)
        folder = self._candidate(run, rank)
        data = self._store.read(f"{folder}/{manifest.FILE}")
        if data is None:
            raise NotFound(f"run {run!r} has no candidate {rank}")
        kept = msgspec.json.decode(data, type=Manifest)
        files = {}
        for path in kept.files:
            found = self._store.read(f"{folder}/{path}")
            files[path] = manifest.check_file(kept.name, path, found or b"", kept.files)
        return self._register_files(name, files, msgspec.structs.replace(kept, name=name, saved_at=_now()), by, why)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        def first(state: State) -> list[dict[str, Any]]:
            if state.seq:
                raise DuplicateName("another process made the registry")
            return [{"op": "create", "registry": uuid.uuid4().hex}]

        try:
            self._log.commit(first, by="zelador", why="the registry was made")
        except DuplicateName:
            return
        self._store.create("README.txt", README.encode())
        self._write_index()

    def _check_free(self, name: str) -> None:
        if check_name(name) in self._log.sync().models:
            raise DuplicateName(
                f"there is a model {name!r} already; choose another name (a model is never overwritten)"
            )

    def _register(self, name: str, files: Mapping[str, bytes], upload: Upload, by: str, why: str) -> Model:
        return self._register_files(name, files, manifest_of(upload, name, files, _now()), by, why)

    def _register_files(self, name: str, files: Mapping[str, bytes], saved: Manifest, by: str, why: str) -> Model:
        """Payload first, under an id that nobody else uses; the manifest last; then the log."""
        upload = uuid.uuid4().hex
        folder = self._folder(name, upload)
        for path, data in files.items():
            self._store.put_stream(f"{folder}/{path}", [data])
        data = manifest.encode(saved)
        self._store.put_stream(f"{folder}/{manifest.FILE}", [data])
        listed = {
            **saved.metadata,
            "features": [feature.name for feature in saved.features],
            "classes": list(saved.classes),
            "served_by": saved.served_by,
        }
        op = {
            "op": "register",
            "name": name,
            "upload": upload,
            "digest": manifest.describe(data).sha256,
            "metadata": listed,
        }
        return self._commit([op], by, why).models[name]

    def _commit(self, ops: list[dict[str, Any]], by: str, why: str, if_match: str | None = None) -> State:
        state = self._log.commit(lambda _state: ops, by=by, why=why, if_match=if_match)
        self._write_index()
        return state

    def _write_index(self) -> None:
        """registry.json, in the seed's shape. It may never fail a commit: the log has the change already."""
        index = {
            model.name: {
                "path": f"{self._folder(model.name, model.upload)}/{PIPELINE}",
                "metadata": dict(model.metadata),
                "saved_at": model.saved_at,
            }
            for model in self.state.models.values()
        }
        try:
            self._store.replace(INDEX, json.dumps(index, indent=2, ensure_ascii=False).encode())
        except ZeladorError as error:
            log.warning("registry.json was not written; the next change writes it: %s", error)

    def _model(self, name: str) -> Model:
        self._log.changed()
        return self.state.model(name)

    def _manifest(self, model: Model) -> Manifest:
        data = self._store.read(f"{self._folder(model.name, model.upload)}/{manifest.FILE}")
        if data is None:
            raise ModelNotFound(f"the files of {model.name} are gone; restore the registry from a backup")
        return manifest.decode(data, model.name, model.digest)

    def _file(self, model: Model, found: Manifest, path: str) -> bytes:
        if path not in found.files:
            raise ModelNotFound(f"{model.name} has no file {path!r}")
        data = self._store.read(f"{self._folder(model.name, model.upload)}/{path}")
        if data is None:
            raise ModelNotFound(f"{path} of {model.name} is gone; restore the registry from a backup")
        return manifest.check_file(model.name, path, data, found.files)

    @staticmethod
    def _candidate(run: str, rank: int) -> str:
        return f"runs/{check_name(run)}/candidates/{int(rank)}"

    @staticmethod
    def _folder(name: str, upload: str) -> str:
        return f"models/{name}/{upload}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
