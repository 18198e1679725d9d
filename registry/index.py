"""registry.json, for scripts: {name: {path, metadata, saved_at}}. Derived from the log, and never a source of it.

Rendering many models takes longer than opening their registry. So a large file has a second one beside it,
`registry.json.state`, with the entry that it was rendered at and its digest: a start that finds both unchanged renders
nothing. It is signed if there is a key.
"""

from __future__ import annotations

import hashlib
import logging

import msgspec

from registry.log.commit import Log
from registry.log.state import Model, State
from registry.model.manifest_shape import shown
from registry.model.payload import path_of
from registry.signing import Keyring
from registry.store import Store
from zelador.errors import Corrupt, Unavailable
from zelador.undecodable import UNDECODABLE

FILE = "registry.json"
RENDERED = "registry.json.state"
FORMAT = 1  # of both files; raise it when the text of an unchanged model changes
# Up to this many models, the file is written after each change. Above it, writing megabytes would cost more than the
# change itself: then the file is written at each start and after every (models / 100) changes.
MAX_MODELS_PER_CHANGE = 1_000
MAX_ROUNDS = 5  # of writing again because other processes committed meanwhile

log = logging.getLogger(__name__)


class Rendered(msgspec.Struct, frozen=True):
    """The state that registry.json was rendered from, and the digest of its bytes."""

    format: int
    head: str | None
    sha256: str


class Index:
    """Writer of registry.json. Caches the text of each model, so that a change renders only one."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._texts: dict[str, tuple[Model, bytes]] = {}
        self._written = 0  # number of the entry at which the file was last written

    def render(self, state: State) -> bytes:
        cached = self._texts
        self._texts = {}
        for name, model in state.models.items():
            known = cached.get(name)
            self._texts[name] = known if known is not None and known[0] is model else (model, _text(model))
        if not self._texts:
            return b"{}\n"
        return b"{\n  " + b",\n  ".join(text for _, text in self._texts.values()) + b"\n}\n"

    def write(self, follow: Log) -> None:
        """Writes the file if it is due. Never fails a commit: the change is already in the log."""
        models = len(follow.state.models)
        if models > MAX_MODELS_PER_CHANGE and follow.state.seq - self._written < models / 100:
            return
        try:
            for _ in range(MAX_ROUNDS):
                state = follow.state
                data = self.render(state)
                self._store.replace(FILE, data)
                if models > MAX_MODELS_PER_CHANGE:
                    self._store.replace(RENDERED, self._seal(Rendered(FORMAT, state.head, _digest(data))))
                self._written = state.seq
                if not follow.changed():  # otherwise this may have overwritten a newer version
                    return
        except Unavailable as error:
            log.warning("registry.json was not written; the next change writes it: %s", error)

    def repair(self, follow: Log) -> None:
        """Writes the file again if it is damaged, missing or stale."""
        try:
            data = self._store.read(FILE)
            is_current = self._is_rendered(data, follow.state) or data == self.render(follow.state)
        except Unavailable as error:
            log.warning("registry.json cannot be read: %s", error)
            return
        except Corrupt as error:  # something other than our file is in its place
            log.warning("registry.json is written again: %s", error)
            is_current = False
        if is_current:
            self._written = follow.state.seq
        else:
            self._written = 0
            self.write(follow)

    def _is_rendered(self, data: bytes | None, state: State) -> bool:
        """True if `data` is proven to be the text of `state`; otherwise it has to be rendered to know."""
        if data is None or len(state.models) <= MAX_MODELS_PER_CHANGE:
            return False
        try:
            sealed = self._store.read(RENDERED)
            if sealed is None or (self._keyring and not self._keyring.proves("index", sealed)):
                return False
            found = msgspec.json.decode(sealed, type=Rendered)
        except (Corrupt, *UNDECODABLE):
            return False
        return (found.format, found.head, found.sha256) == (FORMAT, state.head, _digest(data))

    def _seal(self, rendered: Rendered) -> bytes:
        return self._keyring.seal("index", msgspec.json.format(msgspec.json.encode(rendered), indent=2) + b"\n")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(model: Model) -> bytes:
    metadata = {**shown(model.metadata)[0], "tags": model.tags}
    entry = {"path": path_of(model), "metadata": metadata, "saved_at": model.saved_at}
    text = msgspec.json.format(msgspec.json.encode({model.name: entry}), indent=2)
    return text[4:-2]  # without the outer braces, already indented
