"""Commands that each run one service, with the broker and Redis in the settings (docs/reference/settings.md)."""

from __future__ import annotations

from threading import Event

from command.empty_folder import move_to_empty_folder
from command.process import prepare, quick_imports, relax_garbage_collector
from zelador.libgomp import restart_with_libgomp
from zelador.priority import yield_to_others
from zelador.settings import Settings


def ingest() -> None:
    """Receive readings from the broker and store them in Redis."""
    settings, stop = _prepare("ingest")
    with quick_imports():
        from ingest.service import run

    relax_garbage_collector()
    run(settings, stop)


def infer() -> None:
    """Classify the readings in Redis with the selected model, and publish the predictions."""
    restart_with_libgomp()
    settings, stop = _prepare("inference")
    with quick_imports():
        from inference.service import run

    relax_garbage_collector()
    run(settings, stop)


def trainer() -> None:
    """Run the training runs requested through the API, one at a time."""
    restart_with_libgomp()
    settings, stop = _prepare("trainer")
    yield_to_others(settings.training.nice)  # it decodes all readings that it trains on
    with quick_imports():
        from trainer.service import run

    run(settings, stop)


def api() -> None:
    """Serve the admin API."""
    restart_with_libgomp()
    settings, stop = _prepare("api")
    with quick_imports():
        from admin.service import run

    run(settings, stop)


def _prepare(service: str) -> tuple[Settings, Event]:
    """Returns settings and stop event, and moves to the empty folder, before native libraries are loaded."""
    settings, stop = prepare(service)
    return move_to_empty_folder(settings), stop
