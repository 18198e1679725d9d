"""registry.json in the shape that old scripts know: {name: {path, metadata, saved_at}}. Derived; never read by us."""

from __future__ import annotations

import logging

import msgspec

from registry.commit import Log
from registry.manifest_shape import shown
from registry.payload import path_of
from registry.state import Model, State
from registry.store import Store
from zelador.errors import Corrupt, Unavailable

FILE = "registry.json"
EACH_CHANGE = 1_000  # models; with more it is written after each hundredth part of them, and at each start: megabytes
# at every change would cost more than all the rest of it
ROUNDS = 5  # at most, when others commit while we write

log = logging.getLogger(__name__)


class Index:
    """Keeps each model's text, so that a change among thousands renders one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._texts: dict[str, tuple[Model, bytes]] = {}
        self._written = 0  # the entry that it was last written at

    def render(self, state: State) -> bytes:
        kept = self._texts
        self._texts = {}
        for name, model in state.models.items():
            known = kept.get(name)
            self._texts[name] = known if known is not None and known[0] is model else (model, _text(model))
        if not self._texts:
            return b"{}\n"
        return b"{\n  " + b",\n  ".join(text for _, text in self._texts.values()) + b"\n}\n"

    def write(self, follow: Log) -> None:
        """When it is due. It may never fail a commit: the log has the change already."""
        models = len(follow.state.models)
        if models > EACH_CHANGE and follow.state.seq - self._written < models / 100:
            return
        try:
            for _ in range(ROUNDS):
                self._store.replace(FILE, self.render(follow.state))
                self._written = follow.state.seq
                if not follow.changed():  # else a writer that was faster may have been overwritten by us
                    return
        except Unavailable as error:
            log.warning("registry.json was not written; the next change writes it: %s", error)

    def mend(self, follow: Log) -> None:
        """Writes it again when it is damaged, deleted or stale."""
        try:
            right = self._store.read(FILE) == self.render(follow.state)
        except Unavailable as error:
            log.warning("registry.json cannot be read: %s", error)
            return
        except Corrupt as error:  # no file of ours is in its place
            log.warning("registry.json is written again: %s", error)
            right = False
        if right:
            self._written = follow.state.seq
        else:
            self._written = 0
            self.write(follow)


def _text(model: Model) -> bytes:
    metadata = {**shown(model.metadata)[0], "tags": model.tags}
    entry = {"path": path_of(model), "metadata": metadata, "saved_at": model.saved_at}
    text = msgspec.json.format(msgspec.json.encode({model.name: entry}), indent=2)
    return text[4:-2]  # without the braces around it, and already as deep as it will stand
