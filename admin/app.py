"""Builds the FastAPI app."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from admin import packed
from admin.access import guard, idempotency
from admin.api import (
    audit,
    cards,
    classify,
    datasets,
    devices,
    evaluations,
    files,
    health,
    history,
    keys,
    labels,
    ledger,
    models,
    operations,
    predictions,
    quarantine,
    readings,
    run_events,
    runs,
    selection,
    uploads,
)
from admin.console import app as console
from admin.document import docs_page, openapi, problems
from admin.services import make_services
from zelador.settings import Settings

DESCRIPTION = """Manages models and shows the stream. Every path under /v1 requires `Authorization: Bearer KEY`.

Errors are problem documents (RFC 9457). Readings and predictions are sent over MQTT, not over this API."""

PARTS = (
    models, evaluations, uploads, files, cards, selection, history, operations, classify, runs, run_events, readings,
    predictions, devices, labels, datasets, ledger, quarantine, keys, audit, health, docs_page,
)  # fmt: skip


def make_app(settings: Settings) -> FastAPI:
    """Builds the app. Raises Unavailable or Corrupt if the registry cannot be opened; Redis may be down."""
    services = make_services(settings)
    app = FastAPI(
        title="Zelador",
        version=version("zelador"),
        description=DESCRIPTION,
        openapi_url=None,  # docs_page.py serves both documents
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would contain a host name that the client chose
    )
    app.state.services = services
    for part in PARTS:  # not include_router, which hides the routes: the guard and the tests iterate over all of them
        app.router.routes.extend(part.router.routes)
    console.install(app, services)
    problems.install(app)
    openapi.install(app)
    idempotency.install(app, services)
    packed.install(app)  # outside of the stored answers, which are plain
    guard.install(app, services)
    return app
