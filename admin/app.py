"""The app put together."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from admin.access import guard, idempotency
from admin.api import (
    audit,
    cards,
    classify,
    devices,
    files,
    health,
    history,
    keys,
    ledger,
    models,
    operations,
    predictions,
    quarantine,
    readings,
    runs,
    selection,
    uploads,
)
from admin.document import docs_page, openapi, problems
from admin.services import make_services
from zelador.settings import Settings

DESCRIPTION = """Administers models and watches the stream. Every path below /v1 needs `Authorization: Bearer KEY`.

Errors are problem documents (RFC 9457). Readings come in and predictions go out over MQTT, not here."""

PARTS = (
    models, uploads, files, cards, selection, history, operations, classify, runs, readings, predictions, devices,
    ledger, quarantine, keys, audit, health, docs_page,
)  # fmt: skip


def make_app(settings: Settings) -> FastAPI:
    """Raises Unavailable or Corrupt when the registry cannot be opened; Redis may be away."""
    services = make_services(settings)
    app = FastAPI(
        title="Zelador",
        version=version("zelador"),
        description=DESCRIPTION,
        openapi_url=None,  # docs_page.py serves both documents
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host the request named
    )
    app.state.services = services
    for part in PARTS:  # not include_router, which hides the routes: the guard and the tests go through all of them
        app.router.routes.extend(part.router.routes)
    problems.install(app)
    openapi.install(app)
    idempotency.install(app, services)
    guard.install(app, services)
    return app
