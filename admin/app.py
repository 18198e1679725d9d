"""The app put together."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import redis
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
from admin.classifiers import Classifiers
from admin.document import docs_page, openapi, problems
from operations import audit_log
from operations.views.stream import Recent
from registry.registry import Registry
from registry.restored.watch import Watch
from zelador.buffer import connect_redis
from zelador.ledger import LedgerReader
from zelador.quarantine import Quarantine
from zelador.settings import Settings
from zelador.training_queue import TrainingQueue
from zelador.writable import WriteProbe

DESCRIPTION = """Administers models and watches the stream. Every path below /v1 needs `Authorization: Bearer KEY`.

Errors are problem documents (RFC 9457). Readings come in and predictions go out over MQTT, not here."""

PARTS = (
    models, uploads, files, cards, selection, history, operations, classify, runs, readings, predictions, devices,
    ledger, quarantine, keys, audit, health, docs_page,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work on; one for the app's life."""

    settings: Settings
    registry: Registry
    watch: Watch
    redis: redis.Redis
    ledger: LedgerReader
    quarantine: Quarantine
    runs: TrainingQueue
    classifiers: Classifiers
    trail: audit_log.Trail
    recent: Recent
    writes: WriteProbe


def make_app(settings: Settings) -> FastAPI:
    """Raises Unavailable or Corrupt when the registry cannot be opened; Redis may be away."""
    client = connect_redis(settings.redis)
    registry = Registry.open(settings.registry)
    app = FastAPI(
        title="Zelador",
        version=version("zelador"),
        description=DESCRIPTION,
        openapi_url=None,  # docs_page.py serves both documents
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name whatever host the request named
    )
    app.state.services = Services(
        settings,
        registry,
        Watch(registry, client, settings.redis.prefix, "the API", settings.registry.check_s),
        client,
        LedgerReader(client, settings.redis.prefix),
        Quarantine(client, settings),
        TrainingQueue(client, settings.redis.prefix),
        Classifiers(registry, settings.api.classify_timeout_s, settings.api.classifications_at_once),
        audit_log.open_trail(settings.api),
        Recent(client, settings.redis.prefix),
        WriteProbe(client, settings.redis.prefix),
    )
    for part in PARTS:  # not include_router, which hides the routes: the guard and the tests go through all of them
        app.router.routes.extend(part.router.routes)
    problems.install(app)
    openapi.install(app)
    idempotency.install(app)
    guard.install(app, settings.api)
    return app
