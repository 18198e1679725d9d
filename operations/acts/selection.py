"""Select a model, or roll back to the previous one."""

from __future__ import annotations

from operations.actor import Actor
from operations.audit import Act
from registry.facts import describe_selection
from registry.log.state import Selection
from registry.registry import Registry


def select(actor: Actor, registry: Registry, model: str, *, why: str = "", if_match: str | None = None) -> Selection:
    """Selects a model. Raises ModelNotFound, ChangedMeanwhile (`if_match` is not the current ETag), Unavailable."""
    before = registry.sync().selection
    selection = registry.select(model, by=actor.name, why=why, if_match=if_match)
    return _announced(actor, Act.MODEL_SELECTED, before, selection)


def roll_back(actor: Actor, registry: Registry, *, why: str = "", if_match: str | None = None) -> Selection:
    """Selects the previous model; deleted models are skipped. Raises Conflict, ChangedMeanwhile, Unavailable."""
    before = registry.sync().selection
    selection = registry.roll_back(by=actor.name, why=why, if_match=if_match)
    return _announced(actor, Act.SELECTION_ROLLED_BACK, before, selection)


def _announced(actor: Actor, act: Act, before: Selection | None, selection: Selection) -> Selection:
    actor.wake(selection.sequence)
    old = None if before is None else describe_selection(before)
    actor.record(act, selection.model, old, describe_selection(selection))
    return selection
