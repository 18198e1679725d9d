"""Acts on the whole registry: accept a restored one, free space, vouch for entries made without a signing key."""

from __future__ import annotations

from msgspec import to_builtins

from operations.actor import Actor
from operations.audit import Act
from registry.collect import Collected
from registry.registry import Registry
from registry.restored import accept as restored
from registry.restored.last_seen import Seen
from zelador.settings import RegistrySettings, Settings


def accept(actor: Actor, settings: Settings, why: str) -> tuple[Seen | None, Seen]:
    """Confirms that the registry was restored or replaced on purpose; returns the state last seen and the new one.

    Raises NotFound, Corrupt, Unavailable.
    """
    actor.check()
    before, after = restored.accept(settings, by=actor.full_name, why=why)
    seen = None if before is None else to_builtins(before)
    actor.record(Act.REGISTRY_ACCEPTED, after.registry, seen, {**to_builtins(after), "why": why})
    return before, after


def collect(actor: Actor, registry: Registry, grace_s: float | None) -> Collected:
    """Deletes the files of deleted models, abandoned uploads and old runs. Raises Unavailable."""
    actor.check()
    found = registry.collect(by=actor.name, grace_s=grace_s)
    actor.record(Act.REGISTRY_COLLECTED, "registry", None, counts_of(found))
    return found


def counts_of(found: Collected) -> dict[str, int]:
    """Returns how much was collected, as the audit log shows it."""
    return {"uploads": len(found.removed), "runs": len(found.runs), "condemned": len(found.condemned)}


def trust(actor: Actor, settings: RegistrySettings, why: str) -> int:
    """Vouches for all entries up to the newest; returns its number. Raises InvalidInput without a signing key."""
    actor.check()
    entry = Registry.trust(settings, by=actor.name, why=why)
    actor.record(Act.REGISTRY_TRUSTED, "registry", None, {"entries": entry, "why": why})
    return entry
