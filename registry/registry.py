"""The model registry: models by name, written once, and a log that records which are registered and selected."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from registry import verify
from registry.bundle.incoming import Incoming, admit
from registry.cage.check import check_model
from registry.cage.passed import PassedModels
from registry.changes import Changes
from registry.collect import Collected, collect
from registry.errors import ModelNotFound, UploadCollected
from registry.index import Index
from registry.listing import Listing, Query
from registry.log.commit import Log
from registry.log.state import Model, Selection, State, etag
from registry.model import golden
from registry.model.allowed_types import load_pipeline
from registry.model.artifact import ONNX, PIPELINE, Upload, manifest_of, open_classifier, pack, serving_file
from registry.model.classifier import Classifier
from registry.model.manifest import Feature, Manifest
from registry.model.manifest_shape import check_manifest
from registry.model.payload import Payload, Placed
from registry.names import check_name, check_new_name
from registry.run_document import RunDocument
from registry.run_files import RunFiles
from registry.signing import Keyring
from registry.store import Store, open_store
from zelador.clock import now_iso
from zelador.errors import InvalidInput, NotFound, Unavailable
from zelador.settings import RegistrySettings
from zelador.settings.bucket import by_name

__all__ = ["Feature", "Model", "Query", "Registry", "Selection", "State", "Upload"]

log = logging.getLogger(__name__)

ALL = Query()
MAX_UPLOADS = 3  # attempts to save a model if a collection condemns the upload before it is registered
README = """This folder is a Zelador registry.

log/            the source of truth: one entry per change, each with the digest of the previous one; never edit or
                delete an entry
models/         model files, written once; only the log says which models are registered
runs/           training runs with their candidates
checkpoints/    derived from the log, for a fast start
registry.json   derived from the log, for people and scripts; never read by Zelador
"""


class Registry(Changes):
    """The model registry. Safe for concurrent threads, processes and machines (docs/decisions/0003-registry-log.md)."""

    def __init__(self, store: Store, settings: RegistrySettings | None = None) -> None:
        self._settings = settings or RegistrySettings()
        self._store = store
        self._keyring = Keyring(self._settings.signing_key)
        self._log = Log(store, self._keyring)
        self._payload = Payload(store, self._keyring)
        self._runs = RunFiles(store, self._keyring, self._payload)
        self._passed = PassedModels(store, self._keyring)
        self._index = Index(store, self._keyring)
        self._listing = Listing()

    @classmethod
    def open(cls, where: RegistrySettings | str | Path) -> Registry:
        """Opens the registry of the settings; creates it if there is none. A bare path or URL has no signing key.

        Raises InvalidInput, Corrupt.
        """
        settings = where if isinstance(where, RegistrySettings) else RegistrySettings(url=str(where))
        return cls.on(_store(settings), settings)

    @classmethod
    def on(cls, store: Store, settings: RegistrySettings | None = None) -> Registry:
        """Opens the registry in `store`; otherwise like `open`."""
        registry = cls(store, settings)
        if registry._log.sync().seq == 0:
            registry._begin()
        registry._index.repair(registry._log)
        return registry

    @classmethod
    def existing(cls, settings: RegistrySettings) -> Registry:
        """Opens the registry of the settings for reading: creates and repairs nothing.

        Raises NotFound, InvalidInput, Corrupt, Unavailable.
        """
        registry = cls(_store(settings, make=False), settings)
        if registry._log.sync().seq == 0:
            raise _missing(settings)
        return registry

    @property
    def state(self) -> State:
        """The state as of the last read (`sync` and `changed` read); no I/O."""
        return self._log.state

    def sync(self) -> State:
        """The current state. Raises LogReplaced (a Corrupt) when the log is not the one read before."""
        return self._log.sync()

    def reload(self) -> State:
        """Reads the log from the start, after a replacement that an operator accepted."""
        state = self._log.reload()
        self._index.repair(self._log)
        return state

    def etag_at(self, seq: int) -> str | None:
        """The ETag of log entry `seq` in the store; None if there is no such entry. One read."""
        digest = self._log.digest_at(seq)
        return None if digest is None else etag(digest)

    def changed(self) -> bool:
        """Reads new entries; False if there were none, which takes one read."""
        return self._log.changed()

    def find(self, query: Query = ALL) -> tuple[Model, ...]:
        """The registered models that match `query`, in its order."""
        return self._listing.find(self.sync(), query)

    # ── saving and loading ───────────────────────────────────────────────────────────────────

    def save(self, name: str, upload: Upload, *, by: str, why: str = "", token: str | None = None) -> Model:
        """Registers a model under a free name. Raises DuplicateName, TypeRefused, InvalidInput.

        `token`: from `reserve`, if the name is reserved.
        """
        self._check_free(name)
        files = pack(upload, name)
        return self.add(name, files, manifest_of(upload, name, files, now_iso()), by=by, why=why, token=token)

    def add(
        self,
        name: str,
        files: Mapping[str, bytes],
        saved: Manifest,
        *,
        by: str,
        why: str = "",
        token: str | None = None,
        passed: bool = True,
    ) -> Model:
        """Registers packed files: writes the payload, then the log entry. Sets the manifest's name and time.

        `passed`: they were made in this process or passed the cage; otherwise the first load checks them in the cage.
        Raises DuplicateName, InvalidInput.
        """
        return self._register(name, saved, lambda named: self._payload.put(name, files, named), by, why, token, passed)

    def _register(
        self,
        name: str,
        saved: Manifest,
        place: Callable[[Manifest], Placed],
        by: str,
        why: str,
        token: str | None,
        passed: bool,
    ) -> Model:
        """Registers a model. `place` writes the payload; it is called again if a collection condemned the upload."""
        saved = msgspec.structs.replace(saved, name=check_name(name), saved_at=now_iso())
        check_manifest(saved)
        metadata = dict(saved.metadata)
        tags = list(metadata.pop("tags", None) or [])
        listed = {
            **metadata,
            "features": [feature.name for feature in saved.features],
            "units": {feature.name: feature.unit for feature in saved.features if feature.unit},
            "classes": list(saved.classes),
            "served_by": saved.served_by,
        }
        for attempt in range(1, MAX_UPLOADS + 1):
            placed = place(saved)
            op = {"op": "register", "name": name, "upload": placed.upload, "digest": placed.digest, "metadata": listed}
            op.update({"tags": tags} if tags else {}, **({"token": token} if token else {}))

            def register(state: State, op: dict[str, Any] = op) -> list[dict[str, Any]]:
                check_new_name(name, state.models)  # the current ones: another writer may have been first
                return [op]

            try:
                model = self._commit(register, by, why).models[name]
            except UploadCollected:
                if attempt == MAX_UPLOADS:
                    raise
            else:
                if passed:
                    self._passed.note(model, "serving")
                    self._passed.note(model, "pipeline")
                return model
        raise AssertionError("unreachable")

    def load(self, name: str, remember: bool = True) -> Classifier:
        """Loads the classifier. Raises ModelNotFound; ModelRefused when a digest, a type or a golden row differs.

        A model that never passed the cage here is first loaded in it, which takes seconds. With `remember`, the
        result is stored.
        """
        model = self._model(name)
        found, files = self._serving(model)
        if found.classes and not self._passed.known(model, "serving"):
            check_model(found, model.digest, files)
            if remember:
                self._passed.note(model, "serving")
        return open_classifier(found, model.digest, files)

    def serving(self, name: str) -> tuple[Manifest, str, dict[str, bytes]]:
        """The manifest, its digest, and the files for classification, digests checked, for a cage. Raises as `load`."""
        model = self._model(name)
        found, files = self._serving(model)
        return found, model.digest, files

    def pipeline(self, name: str) -> Any:
        """The scikit-learn estimator. Raises the same errors as `load`."""
        model = self._model(name)
        found = self._manifest(model)
        if PIPELINE not in found.files:
            raise ModelNotFound(
                f"{name} has no scikit-learn estimator, only its compiled form, {ONNX}: classify with "
                "`zelador classify`, or with Registry.load in Python"
            )
        data = self._payload.file(model, found, PIPELINE)
        if not self._passed.known(model, "pipeline"):
            check_model(found, model.digest, {PIPELINE: data}, serving=False)
            self._passed.note(model, "pipeline")
        return load_pipeline(name, data)

    def admit(self, data: bytes, most_bytes: int, trust: bool = False) -> Incoming:
        """The model in an exported file, checked in the cage, to be passed to `add`.

        `trust`: accept bytes for a library's own parser from anyone. Raises BundleRefused, Unavailable.
        """
        return admit(data, most_bytes, self._keyring, trust)

    def signed_manifest(self, name: str) -> bytes | None:
        """The manifest's bytes, if a key of this registry signed them."""
        return self._payload.signed_manifest(self._model(name))

    def manifest(self, name: str) -> Manifest:
        return self._manifest(self._model(name))

    def file(self, name: str, path: str) -> bytes:
        """The content of one of the model's files, by its path in the manifest. Checks its digest."""
        model = self._model(name)
        return self._payload.file(model, self._manifest(model), path)

    def where(self, model: Model) -> str:
        """The path or URL of the model's artifact, for display."""
        return self._payload.where(model)

    # ── maintenance ──────────────────────────────────────────────────────────────────────────

    def collect(self, *, by: str, grace_s: float | None = None) -> Collected:
        """Frees the space of deleted models, abandoned uploads and old training runs."""
        settings = self._settings
        grace = settings.grace_s if grace_s is None else grace_s
        keep = settings.keep_runs_s
        found = collect(self._store, self._log, self._payload, grace_s=grace, keep_runs_s=keep, by=by)
        self._derive()
        return found

    def verify(self, expect: str | None = None, ask: bool = False) -> verify.Report:
        """Verifies all files of the registry. `expect` is an ETag seen earlier, which must be in the chain.

        `ask`: also load each model in the cage, where it must answer its golden rows. Raises Unavailable.
        """
        asked = check_model if ask else None
        return verify.verify(self._store, self._keyring, self._index, expect, asked)

    @staticmethod
    def check_trustable(settings: RegistrySettings) -> None:
        """Checks that there is a log to vouch for, and a key to do it with; creates nothing.

        Raises InvalidInput, NotFound, Corrupt, Unavailable.
        """
        keyring = Keyring(settings.signing_key)
        if not keyring:
            raise InvalidInput("set ZELADOR_REGISTRY__SIGNING_KEY first: vouching for a log needs a signing key")
        if Log(_store(settings, make=False), keyring, from_zero=True, lenient=True).sync().seq == 0:
            raise _missing(settings)

    @staticmethod
    def trust(settings: RegistrySettings, *, by: str, why: str) -> int:
        """Vouches for an unsigned log with the settings' signing key; returns the number of its last entry.

        Raises the same errors as `check_trustable`. Run `verify` without a key first: from now on the log is trusted.
        """
        Registry.check_trustable(settings)
        chain = Log(_store(settings), Keyring(settings.signing_key), from_zero=True, lenient=True)
        chain.commit(lambda state: [{"op": "trust", "seq": state.seq, "head": state.head}], by=by, why=why)
        return chain.state.trusted

    # ── training runs ────────────────────────────────────────────────────────────────────────

    def put_run(self, run: str, document: RunDocument) -> None:
        """Writes the run's document, or replaces it."""
        self._runs.put(run, document)

    def put_run_file(self, run: str, name: str, data: bytes) -> None:
        """Writes a file beside the run's document. Both are removed together."""
        self._runs.put_file(run, name, data)

    def put_run_events(self, run: str, data: bytes) -> None:
        """Writes the run's events, or replaces them."""
        self._runs.put_events(run, data)

    def run_events(self, run: str) -> bytes | None:
        """The run's events as they were written; None if there are none."""
        return self._runs.events(run)

    def run(self, run: str) -> RunDocument:
        """The run's document. Raises NotFound, Corrupt."""
        return self._runs.get(run)

    def has_run(self, run: str) -> bool:
        """True if the run's document is stored."""
        return self._runs.has(run)

    def runs(self) -> list[str]:
        """The ids of all runs, oldest first."""
        return self._runs.ids()

    def put_candidate(self, run: str, rank: int, source: Path) -> None:
        """Stores the candidate whose files (including a manifest) are in the local folder `source`."""
        self._runs.put_candidate(run, rank, source)

    def candidates(self, run: str) -> tuple[int, ...]:
        """The ranks of the run's stored candidates, which can be registered."""
        return self._runs.ranks(run)

    def candidate_file(self, run: str, rank: int, path: str) -> bytes:
        """A file of a stored candidate. Raises NotFound, ModelRefused."""
        return self._runs.candidate_file(run, rank, path)

    def register_candidate(self, run: str, rank: int, name: str, *, by: str, why: str = "") -> Model:
        """Registers a stored candidate under `name`. Raises NotFound, DuplicateName, ModelRefused."""
        self._check_free(name)
        kept = self._runs.candidate(run, rank)
        # Without a key, anyone who can write to the store may have written the candidate.
        return self._register(
            name,
            kept,
            lambda saved: self._runs.copy_candidate(run, rank, saved),
            by=by,
            why=why,
            token=None,
            passed=bool(self._keyring),
        )

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        def first(state: State) -> list[dict[str, Any]]:
            return [] if state.seq else [{"op": "create", "registry": uuid.uuid4().hex}]

        self._log.commit(first, by="zelador", why="the registry was created")
        log.info("there was no registry at %s; one was created", self._settings.url)
        try:
            self._store.replace("README.txt", README.encode())
        except Unavailable as error:
            log.warning("README.txt was not written: %s", error)

    def _check_free(self, name: str) -> None:
        check_new_name(name, self._log.sync().models)

    def _model(self, name: str) -> Model:
        self._log.changed()
        return self.state.model(name)

    def _serving(self, model: Model) -> tuple[Manifest, dict[str, bytes]]:
        found = self._manifest(model)
        return found, {path: self._payload.file(model, found, path) for path in (serving_file(found), golden.FILE)}

    def _manifest(self, model: Model) -> Manifest:
        return self._payload.manifest(model, self.state.trusted)


def _missing(settings: RegistrySettings) -> NotFound:
    return NotFound(f"there is no registry at {settings.url}; set ZELADOR_REGISTRY__URL if it is elsewhere")


def _store(settings: RegistrySettings, make: bool = True) -> Store:
    options = by_name(settings.bucket)
    return open_store(settings.url, options, settings.timeout_s, make)
