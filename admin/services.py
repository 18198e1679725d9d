"""The objects that routes use: made once at startup, typed, and injected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import redis
from fastapi import Depends, Request

from admin.access.attempts import Attempts
from admin.access.sessions import Sessions
from admin.classifiers import Classifiers
from operations.audit_log import AuditFile, open_audit_file
from operations.key_file import KeyFile
from operations.views.stream import Recent
from registry.registry import Registry
from registry.restored.watch import Watch
from zelador.buffer import connect_redis
from zelador.ledger import LedgerReader
from zelador.quarantine import Quarantine
from zelador.settings import Settings
from zelador.training_queue import TrainingQueue
from zelador.writable import WriteProbe


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    registry: Registry
    watch: Watch
    redis: redis.Redis
    ledger: LedgerReader
    quarantine: Quarantine
    runs: TrainingQueue
    classifiers: Classifiers
    audit: AuditFile
    recent: Recent
    writes: WriteProbe
    keys: KeyFile
    attempts: Attempts
    sessions: Sessions

    @property
    def prefix(self) -> str:
        """Prefix of Zelador's keys in Redis."""
        return self.settings.redis.prefix


def make_services(settings: Settings) -> Services:
    """Raises Unavailable or Corrupt when the registry cannot be opened; Redis may be down."""
    client = connect_redis(settings.redis)
    prefix = settings.redis.prefix
    registry = Registry.open(settings.registry)
    keys = KeyFile(settings.api.keys_file)
    return Services(
        settings,
        registry,
        Watch(registry, client, prefix, "the API", settings.registry.check_s),
        client,
        LedgerReader(client, prefix),
        Quarantine(client, settings),
        TrainingQueue(client, prefix),
        Classifiers(registry, settings.api.classify_timeout_s, settings.api.classifications_at_once),
        open_audit_file(settings.api),
        Recent(client, prefix),
        WriteProbe(client, prefix),
        keys,
        Attempts(settings.api.failure_delay_s),
        Sessions(client, prefix, keys),
    )


async def held(request: Request) -> Services:
    """A coroutine, so that FastAPI does not call it on a thread."""
    services: Services = request.app.state.services
    return services


Held = Annotated[Services, Depends(held)]
