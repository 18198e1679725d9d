"""Register, annotate, rename and delete models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from operations.actor import Actor
from operations.audit import Act
from registry.facts import Model, describe_model
from registry.registry import Registry


def register(
    actor: Actor,
    registry: Registry,
    data: bytes,
    max_bytes: int,
    *,
    name: str | None = None,
    why: str = "",
    trust: bool = False,
) -> Model:
    """Registers an exported model after a check in the cage. The default name is the manifest's.

    `trust`: accept bytes for a library's own parser from anyone. Raises BundleRefused, DuplicateName,
    InvalidInput, Unavailable.
    """
    found = registry.admit(data, max_bytes, trust)
    actor.check()
    model = registry.add(name or found.manifest.name, found.files, found.manifest, by=actor.name, why=why)
    shown = describe_model(model, registry.state)
    actor.record(Act.MODEL_REGISTERED, model.name, None, shown)
    return shown


def amend(
    actor: Actor,
    registry: Registry,
    name: str,
    metadata: Mapping[str, Any],
    tags: Sequence[str] | None = None,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    to: str | None = None,
    why: str = "",
    if_match: str | None = None,
) -> Model:
    """Annotates a model, or renames it to `to`. Either all changes are made, or none.

    `tags` replaces all tags; `add` and `remove` change some. Raises ModelNotFound, DuplicateName, Conflict (the
    selected model cannot be renamed), ChangedMeanwhile, InvalidInput, Unavailable.
    """
    state = registry.sync()
    before: dict[str, Any] = dict(describe_model(state.model(name), state))
    actor.check()
    model = registry.amend(
        name, metadata, tags, add=add, remove=remove, to=to, by=actor.name, why=why, if_match=if_match
    )
    after = describe_model(model, registry.state)
    now: dict[str, Any] = dict(after)
    differing = [key for key in now if now[key] != before.get(key)]
    if not differing:
        return after
    act = Act.MODEL_ANNOTATED if model.name == name else Act.MODEL_RENAMED
    actor.record(act, name, {key: before.get(key) for key in differing}, {key: now[key] for key in differing})
    return after


def delete(actor: Actor, registry: Registry, name: str, *, why: str = "", if_match: str | None = None) -> None:
    """Deletes a model; a later collection deletes its files. Raises ModelNotFound, ModelSelected, ChangedMeanwhile."""
    state = registry.sync()
    before = describe_model(state.model(name), state)
    actor.check()
    registry.delete(name, by=actor.name, why=why, if_match=if_match)
    actor.record(Act.MODEL_DELETED, name, before)
