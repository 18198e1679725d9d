"""The four services, each alone, against any broker and Redis by settings (ZELADOR_…, docs/reference/settings.md)."""

from __future__ import annotations

from zelador.cli.process import calm_collector, prepare
from zelador.libgomp import restart_with_libgomp


def ingest() -> None:
    """Take readings from the broker into Redis."""
    settings, stop = prepare("ingest")
    from ingest.service import run

    calm_collector()
    run(settings, stop)


def infer() -> None:
    """Classify what waits in Redis with the selected model and publish the predictions."""
    restart_with_libgomp()
    settings, stop = prepare("inference")
    from inference.service import run

    calm_collector()
    run(settings, stop)


def trainer() -> None:
    """Take training runs from the API, one at a time."""
    restart_with_libgomp()
    settings, stop = prepare("trainer")
    from trainer.service import run

    run(settings, stop)


def api() -> None:
    """Serve the admin API."""
    restart_with_libgomp()
    settings, stop = prepare("api")
    from registry.api.service import run

    run(settings, stop)
