"""Which runs have a page: a run is deleted after a while, and an imported model comes from a run elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from admin.console.console import Console
from registry.registry import Registry
from zelador.errors import ZeladorError

KNOWN_S = 600.0


def linked(console: Console, runs: Iterable[str | None]) -> frozenset[str]:
    """Returns those of the runs that have a page."""
    kept, registry = console.window.kept, console.services.registry
    return frozenset(
        run for run in {*runs} if run and kept.get(("has run", run), KNOWN_S, partial(_has, registry, run))
    )


def _has(registry: Registry, run: str) -> bool:
    try:
        return registry.has_run(run)
    except ZeladorError:  # also an id that cannot be one
        return False
