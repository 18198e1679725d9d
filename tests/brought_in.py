"""Imports an old model, as `zelador models import` does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from registry.legacy.load import converted
from registry.legacy.look import Found
from registry.log.state import Model
from registry.registry import Registry

MAX_BYTES = 1 << 30  # of a model, unpacked


def bring_in(
    found: Found, registry: Registry, *, trust: bool, anyway: Collection[Path] = (), features: Sequence[str] = ()
) -> Model:
    """Loads an inspected file in one process of the cage, checks it in another, and registers the model."""
    bundle = converted(found, trust=trust, anyway=anyway, features=features)
    incoming = registry.admit(bundle, MAX_BYTES, trust=True)
    return registry.add(found.name, incoming.files, incoming.manifest, by="me")
