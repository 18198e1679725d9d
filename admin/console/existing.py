"""What has a page: a device that is known here, and a run until it is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import redis

from admin.console.console import Console
from admin.services import Services
from operations.views.report import Report
from registry.registry import Registry
from zelador.errors import ZeladorError

KNOWN_S = 600.0


def known_devices(services: Services, names: Sequence[str]) -> frozenset[str]:
    """Returns those of the devices that are known; none if Redis does not answer."""
    try:
        return services.devices.known(names)
    except (redis.RedisError, OSError):
        return frozenset()


def reported_devices(services: Services, report: Report | None) -> frozenset[str]:
    """Returns the devices of a report that are known."""
    rows = report.by_device.rows if report and report.by_device else ()
    return known_devices(services, [row.device for row in rows])


def known_runs(console: Console, runs: Iterable[str | None]) -> frozenset[str]:
    """Returns those of the runs whose documents are stored; an imported model comes from a run elsewhere."""
    kept, registry = console.window.kept, console.services.registry
    return frozenset(
        run for run in {*runs} if run and kept.get(("has run", run), KNOWN_S, partial(is_stored, registry, run))
    )


def is_stored(registry: Registry, run: str) -> bool:
    """True if the document of a run is in the registry."""
    try:
        return registry.has_run(run)
    except ZeladorError:  # also an id that cannot be one
        return False
