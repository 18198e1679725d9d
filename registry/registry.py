"""The registry: models by name, written once, with one log that says which of them are registered and selected."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from registry import golden, verify
from registry.artefact import PIPELINE, Upload, manifest_of, open_classifier, pack, serving_file
from registry.cage.check import check_model
from registry.changes import Changes
from registry.classifier import Classifier
from registry.collect import Collected, collect
from registry.commit import Log, now
from registry.errors import Condemned, DuplicateName
from registry.incoming import Incoming, admit
from registry.index import Index
from registry.integrity import load_pipeline
from registry.listing import Listing, Query
from registry.manifest import Feature, Manifest
from registry.names import check_name
from registry.passed import PassedModels
from registry.payload import Payload
from registry.runs import Runs
from registry.signing import Keyring
from registry.state import Model, Selection, State, etag
from registry.store import Store, open_store
from zelador.errors import InvalidInput, NotFound, Unavailable
from zelador.settings import RegistrySettings

__all__ = ["Feature", "Model", "Query", "Registry", "Selection", "State", "Upload"]

log = logging.getLogger(__name__)

ALL = Query()
SAVES = 3  # of one model, when a collection gave up the upload in between
README = """This folder is a Zelador registry.

log/            the truth: one entry a change, each with the digest of the one before; never edit or remove one
models/         payload, written once; only the log says which of it is registered
runs/           training runs with their candidates
checkpoints/    derived from the log, for a quick start
registry.json   derived from the log for people and old scripts; never read by Zelador
"""


class Registry(Changes):
    """Safe for threads, processes and machines at once; see docs/decisions/0003-registry-log.md."""

    def __init__(self, store: Store, settings: RegistrySettings | None = None) -> None:
        self._settings = settings or RegistrySettings()
        self._store = store
        self._keyring = Keyring(self._settings.signing_key)
        self._log = Log(store, self._keyring)
        self._payload = Payload(store, self._keyring)
        self._runs = Runs(store, self._keyring, self._payload)
        self._passed = PassedModels(store, self._keyring)
        self._index = Index(store)
        self._listing = Listing()

    @classmethod
    def open(cls, where: RegistrySettings | str | Path) -> Registry:
        """The registry of the settings, made if it is not there; a bare path or URL is one without a signing key.

        Raises InvalidInput, Corrupt.
        """
        settings = where if isinstance(where, RegistrySettings) else RegistrySettings(url=str(where))
        return cls.on(_store(settings), settings)

    @classmethod
    def on(cls, store: Store, settings: RegistrySettings | None = None) -> Registry:
        """The registry in `store`; else as `open`."""
        registry = cls(store, settings)
        if registry._log.sync().seq == 0:
            registry._begin()
        registry._index.mend(registry._log)
        return registry

    @classmethod
    def existing(cls, settings: RegistrySettings) -> Registry:
        """The registry of the settings as it lies there, to be looked at: none is made, nothing is mended.

        Raises NotFound, InvalidInput, Corrupt, Unavailable.
        """
        registry = cls(_store(settings, make=False), settings)
        if registry._log.sync().seq == 0:
            raise NotFound(f"there is no registry at {settings.url}; set ZELADOR_REGISTRY__URL if it is elsewhere")
        return registry

    @property
    def state(self) -> State:
        """As last read; `sync` and `changed` read."""
        return self._log.state

    def sync(self) -> State:
        """The present state. Raises Replaced (a Corrupt) when the log was replaced under us."""
        return self._log.sync()

    def begin_anew(self) -> State:
        """Goes on with what is there now, after a Replaced that was meant."""
        state = self._log.begin_anew()
        self._index.mend(self._log)
        return state

    def etag_at(self, seq: int) -> str | None:
        """Of the log's entry `seq` as it lies there now; None where there is none. One read."""
        digest = self._log.digest_at(seq)
        return None if digest is None else etag(digest)

    def changed(self) -> bool:
        """Whether something new was in the log: one read when there is not."""
        return self._log.changed()

    def find(self, query: Query = ALL) -> tuple[Model, ...]:
        """The models of the present state that `query` asks for, in its order."""
        return self._listing.find(self.sync(), query)

    # ── saving and loading ───────────────────────────────────────────────────────────────────

    def save(self, name: str, upload: Upload, *, by: str, why: str = "", token: str | None = None) -> Model:
        """Registers a model under a name that is free. Raises DuplicateName, TypeRefused, InvalidInput.

        `token`: of `reserve`, when the name is reserved.
        """
        self._check_free(name)
        files = pack(upload, name)
        return self.add(name, files, manifest_of(upload, name, files, now()), by=by, why=why, token=token)

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
        """Registers packed files: payload first, then the log. The manifest gets the name, and the time of now.

        `passed`: they were made in this process, or passed the cage; else the first load goes through it.
        Raises DuplicateName, InvalidInput.
        """
        saved = msgspec.structs.replace(saved, name=check_name(name), saved_at=now())
        metadata = dict(saved.metadata)
        tags = list(metadata.pop("tags", None) or [])
        listed = {
            **metadata,
            "features": [feature.name for feature in saved.features],
            "units": {feature.name: feature.unit for feature in saved.features if feature.unit},
            "classes": list(saved.classes),
            "served_by": saved.served_by,
        }
        for attempt in range(1, SAVES + 1):
            placed = self._payload.put(name, files, saved)
            op = {"op": "register", "name": name, "upload": placed.upload, "digest": placed.digest, "metadata": listed}
            op.update({"tags": tags} if tags else {}, **({"token": token} if token else {}))
            try:
                model = self._commit([op], by, why).models[name]
            except Condemned:
                if attempt == SAVES:
                    raise
            else:
                if passed:
                    self._passed.note(model, "serving")
                    self._passed.note(model, "pipeline")
                return model
        raise AssertionError("unreachable")

    def load(self, name: str, remember: bool = True) -> Classifier:
        """Raises ModelNotFound; ModelRefused when a digest, a type or a golden row is not as it was saved.

        A model that did not pass here before is first loaded in the cage, which takes seconds; that it passed is
        written down with `remember`.
        """
        model = self._model(name)
        found, files = self._serving(model)
        if found.classes and not self._passed.known(model, "serving"):
            check_model(found, model.digest, files)
            if remember:
                self._passed.note(model, "serving")
        return open_classifier(found, model.digest, files)

    def serving(self, name: str) -> tuple[Manifest, str, dict[str, bytes]]:
        """Manifest, digest, and the files that classify, digests checked: for a cage. Raises as `load`."""
        model = self._model(name)
        found, files = self._serving(model)
        return found, model.digest, files

    def pipeline(self, name: str) -> Any:
        """The scikit-learn estimator itself. Raises as `load`."""
        model = self._model(name)
        found = self._manifest(model)
        data = self._payload.file(model, found, PIPELINE)
        if not self._passed.known(model, "pipeline"):
            check_model(found, model.digest, {PIPELINE: data}, serving=False)
            self._passed.note(model, "pipeline")
        return load_pipeline(name, data)

    def admit(self, data: bytes, most_bytes: int, trust: bool = False) -> Incoming:
        """The model in an exported file, checked in the cage, to be given to `add`.

        `trust`: bytes for a library's own parser are taken, whoever made them. Raises ArchiveRefused, Unavailable.
        """
        return admit(data, most_bytes, self._keyring, trust)

    def signed_manifest(self, name: str) -> bytes | None:
        """The manifest's bytes, if a key of ours signed them."""
        return self._payload.signed_manifest(self._model(name))

    def manifest(self, name: str) -> Manifest:
        return self._manifest(self._model(name))

    def file(self, name: str, path: str) -> bytes:
        """One of the model's files, as the manifest names it, with its digest checked."""
        model = self._model(name)
        return self._payload.file(model, self._manifest(model), path)

    def where(self, model: Model) -> str:
        """Path or URL of the model's artefact, for people."""
        return self._payload.where(model)

    # ── the whole of it ─────────────────────────────────────────────────────────────────────────

    def collect(self, *, by: str, grace_s: float | None = None) -> Collected:
        """Frees the space of deleted models, of uploads that came to nothing and of old training runs."""
        settings = self._settings
        grace = settings.grace_s if grace_s is None else grace_s
        keep = settings.keep_runs_s
        found = collect(self._store, self._log, self._payload, grace_s=grace, keep_runs_s=keep, by=by)
        self._derive()
        return found

    def verify(self, expect: str | None = None) -> verify.Report:
        """Reads everything there is; `expect` is an ETag that was seen before and must be in the chain."""
        return verify.verify(self._store, self._keyring, self._index, expect)

    @staticmethod
    def trust(settings: RegistrySettings, *, by: str, why: str) -> int:
        """Vouches, with the settings' key, for a log that was written before there was one; gives its last entry.

        Raises InvalidInput without a key. Look at the log first (`verify` without a key): it is believed from then on.
        """
        keyring = Keyring(settings.signing_key)
        if not keyring:
            raise InvalidInput("set ZELADOR_REGISTRY__SIGNING_KEY first: without a key there is nothing to vouch with")
        chain = Log(_store(settings), keyring, from_zero=True, lenient=True)
        chain.commit(lambda state: [{"op": "trust", "seq": state.seq, "head": state.head}], by=by, why=why)
        return chain.state.trusted

    # ── training runs ────────────────────────────────────────────────────────────────────────

    def put_run(self, run: str, document: Mapping[str, Any]) -> None:
        """Writes (or writes anew) the run's document."""
        self._runs.put(run, document)

    def run(self, run: str) -> dict[str, Any]:
        """Raises NotFound."""
        return self._runs.get(run)

    def runs(self) -> list[str]:
        """The ids of all runs, oldest first."""
        return self._runs.ids()

    def put_candidate(self, run: str, rank: int, files: Mapping[str, bytes]) -> None:
        """Keeps a candidate of a run, to be registered now or weeks later; `files` has its manifest too."""
        self._runs.put_candidate(run, rank, files)

    def register_candidate(self, run: str, rank: int, name: str, *, by: str, why: str = "") -> Model:
        """Registers a kept candidate under `name`. Raises NotFound, DuplicateName, ModelRefused."""
        self._check_free(name)
        kept, files = self._runs.candidate(run, rank)
        # Without a key, whoever can write to the store may have written the candidate.
        return self.add(name, files, kept, by=by, why=why, passed=bool(self._keyring))

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        def first(state: State) -> list[dict[str, Any]]:
            return [] if state.seq else [{"op": "create", "registry": uuid.uuid4().hex}]  # else another made it

        self._log.commit(first, by="zelador", why="the registry was made")
        try:
            self._store.replace("README.txt", README.encode())
        except Unavailable as error:
            log.warning("README.txt was not written: %s", error)

    def _check_free(self, name: str) -> None:
        if check_name(name) in self._log.sync().models:
            raise DuplicateName(
                f"there is a model {name!r} already; choose another name (a model is never overwritten)"
            )

    def _model(self, name: str) -> Model:
        self._log.changed()
        return self.state.model(name)

    def _serving(self, model: Model) -> tuple[Manifest, dict[str, bytes]]:
        found = self._manifest(model)
        return found, {path: self._payload.file(model, found, path) for path in (serving_file(found), golden.FILE)}

    def _manifest(self, model: Model) -> Manifest:
        return self._payload.manifest(model, self.state.trusted)


def _store(settings: RegistrySettings, make: bool = True) -> Store:
    options = dict(option.split("=", 1) for option in settings.bucket)
    return open_store(settings.url, options, settings.timeout_s, make)
