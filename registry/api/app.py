"""The app put together."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import redis
from fastapi import FastAPI

from registry.api import access, classify, health, ledger, models, page, problems, quarantine, runs, selection
from registry.api.keys import KeyFile
from registry.registry import Registry
from zelador.buffer import connect_redis
from zelador.ledger import LedgerReader
from zelador.quarantine import Quarantine
from zelador.runs import Runs
from zelador.settings import Settings

DESCRIPTION = """Administers models and watches the stream. Every path below /v1 needs `Authorization: Bearer KEY`.

Errors are problem documents (RFC 9457). Readings come in and predictions go out over MQTT, not here."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work on; one for the app's life."""

    settings: Settings
    registry: Registry
    redis: redis.Redis
    ledger: LedgerReader
    quarantine: Quarantine
    runs: Runs
    classifiers: classify.Classifiers


def make_app(settings: Settings) -> FastAPI:
    """Raises Unavailable or Corrupt when the registry cannot be opened; Redis may be away."""
    client = connect_redis(settings.redis)
    registry = Registry.open(settings.registry)
    app = FastAPI(title="Zelador", version=version("zelador"), description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.services = Services(
        settings,
        registry,
        client,
        LedgerReader(client, settings.redis.prefix),
        Quarantine(client, settings),
        Runs(client, settings.redis.prefix),
        classify.Classifiers(registry),
    )
    for part in (models, selection, classify, runs, ledger, quarantine, health, page):
        app.include_router(part.router)
    problems.install(app)
    access.install(app, KeyFile(settings.api.keys_file), settings.api.max_body_bytes)
    return app
