"""Changes to registered models: select, tag, rename, delete. Each is a commit of one entry, all or nothing."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from registry.errors import ChangedMeanwhile, ModelSelected
from registry.index import Index
from registry.log.commit import Log
from registry.log.fold import selected_is_not_renamed
from registry.log.state import Model, Selection, State
from registry.model.manifest import plain
from registry.model.manifest_shape import check_annotation, shown
from registry.model.payload import Payload
from registry.names import check_new_name
from zelador.clock import now_iso
from zelador.errors import InvalidInput, Unavailable

log = logging.getLogger(__name__)


class Changes:
    """Base class of `registry.registry.Registry`. `if_match` is the ETag of the state that the caller read."""

    _log: Log
    _payload: Payload
    _index: Index

    def select(self, name: str, *, by: str, why: str = "", if_match: str | None = None) -> Selection:
        """Makes `name` the model that every worker serves. Raises ModelNotFound, ChangedMeanwhile."""
        return _selected(self._commit([{"op": "select", "name": name}], by, why, if_match))

    def roll_back(self, *, by: str, why: str = "", if_match: str | None = None) -> Selection:
        """Selects the previously selected model again; the next call goes one further back. Skips deleted models.

        Raises Conflict when there is no previous model, ChangedMeanwhile when another selection came first: when two
        people roll back the same model at once, only one rollback happens.
        """
        expected = self._log.sync().selection

        def back(state: State) -> list[dict[str, Any]]:
            if state.selection != expected:
                raise ChangedMeanwhile("another model was selected meanwhile; check the selection, then retry")
            return [{"op": "roll_back", "to": state.previous()}]

        return _selected(self._commit(back, by, why, if_match))

    def annotate(
        self, name: str, metadata: Mapping[str, Any], *, by: str, why: str = "", if_match: str | None = None
    ) -> Model:
        """Sets or replaces keys of the model's metadata. The model's files never change."""
        given = plain(metadata)

        def annotate(state: State) -> list[dict[str, Any]]:
            check_annotation({**shown(state.model(name).metadata)[0], **given})
            return [{"op": "annotate", "name": name, "metadata": given}]

        return self._commit(annotate, by, why, if_match).models[name]

    def tag(
        self,
        name: str,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        *,
        by: str,
        why: str = "",
        if_match: str | None = None,
    ) -> Model:
        """Adds and removes tags. Concurrent changes of the same model's tags are merged."""
        added, removed = checked_tags(add), sorted(set(remove))
        op = {"op": "tag", "name": name, "add": added, "remove": removed}
        return self._commit([op], by, why, if_match).models[name]

    def rename(self, name: str, to: str, *, by: str, why: str = "", if_match: str | None = None) -> Model:
        """Renames a model to a free name; its present name changes nothing. Its files are not moved.

        The history keeps the old name; rolling back still finds the model.
        Raises ModelSelected, DuplicateName, ModelNotFound, InvalidInput, ChangedMeanwhile.
        """
        return self.amend(name, {}, to=to, by=by, why=why, if_match=if_match)

    def amend(
        self,
        name: str,
        metadata: Mapping[str, Any],
        tags: Iterable[str] | None = None,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        to: str | None = None,
        by: str,
        why: str = "",
        if_match: str | None = None,
    ) -> Model:
        """Annotates, tags and renames a model in one entry. Writes nothing if nothing would change.

        `tags` replaces all tags (None keeps them), then `add` and `remove` apply; `to` is the new name.
        Raises the same errors as `annotate`, `tag` and `rename`.
        """
        replacement = None if tags is None else set(checked_tags(tags))
        added, removed = set(checked_tags(add)), set(remove)

        def amend(state: State) -> list[dict[str, Any]]:
            model = state.model(name)
            present = set(model.tags)
            wanted = ((present if replacement is None else replacement) | added) - removed
            ops: list[dict[str, Any]] = []
            if metadata:
                given = plain(metadata)
                check_annotation({**shown(model.metadata)[0], **given})
                ops.append({"op": "annotate", "name": name, "metadata": given})
            if wanted != present:
                op = {"op": "tag", "name": name, "add": sorted(wanted - present), "remove": sorted(present - wanted)}
                ops.append(op)
            if to is not None and to != name:
                if state.selection is not None and state.selection.model == name:
                    raise ModelSelected(selected_is_not_renamed(name))
                check_new_name(to, (other for other in state.models if other != name))
                ops.append({"op": "rename", "name": name, "to": to})
            return ops

        return self._commit(amend, by, why, if_match).models[name if to is None else to]

    def reserve(self, name: str, for_s: float, *, by: str, why: str = "") -> str:
        """Reserves a name for `for_s` seconds; returns the token that registering it needs. Raises DuplicateName."""
        token, until = secrets.token_hex(16), now_iso(for_s)

        def reserve(state: State) -> list[dict[str, Any]]:
            check_new_name(name, state.models)
            return [{"op": "reserve", "name": name, "token": token, "until": until}]

        self._commit(reserve, by, why)
        return token

    def delete(
        self, name: str, *, by: str, why: str = "", if_match: str | None = None, files_at_once: bool = False
    ) -> None:
        """Deletes the model; its log entries remain. Raises ModelSelected, ModelNotFound, ChangedMeanwhile.

        A collection deletes its files after the grace period, so that a load or copy in progress still finds them.
        `files_at_once` deletes them now.
        """
        uploads: list[str] = []

        def delete(state: State) -> list[dict[str, Any]]:
            model = state.model(name)
            uploads[:] = [model.payload]
            return [{"op": "delete", "name": name}, {"op": "condemn", "uploads": list(uploads)}]

        self._commit(delete, by, why, if_match)
        if files_at_once:
            for upload in uploads:
                self._payload.remove(upload)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _commit(
        self,
        ops: list[dict[str, Any]] | Callable[[State], list[dict[str, Any]]],
        by: str,
        why: str,
        if_match: str | None = None,
    ) -> State:
        decide = ops if callable(ops) else lambda _state: ops
        state = self._log.commit(decide, by=by, why=why, if_match=if_match)
        self._derive()
        return state

    def _derive(self) -> None:
        """Updates the files derived from the log. Never fails a commit."""
        self._index.write(self._log)
        try:
            self._log.write_checkpoint_if_due()
        except Unavailable as error:
            log.warning("no checkpoint was written; a later change will write one: %s", error)


def checked_tags(tags: Iterable[Any]) -> list[str]:
    """The tags sorted, without duplicates. Raises InvalidInput."""
    items = list(tags)
    if bad := [tag for tag in items if not isinstance(tag, str) or not 0 < len(tag) <= 64 or not tag.isprintable()]:
        raise InvalidInput(f"{str(bad[0])[:80]!r} is not a tag: 1 to 64 printable characters", field="tags")
    return sorted(set(items))


def _selected(state: State) -> Selection:
    assert state.selection is not None  # noqa: S101 - the fold of a selection sets it
    return state.selection
