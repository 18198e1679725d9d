"""The objects that routes use. They are made once at startup, and injected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

import redis
from fastapi import Depends, Request

from admin.access.attempts import Attempts
from admin.access.request_metrics import RequestMetrics
from admin.access.sessions import Sessions
from admin.classifiers import Classifiers
from admin.outage import Outage, watched_redis
from admin.run_streams import RunStreams
from archive.dataset.touched import ArchivedCounts
from operations.audit_file import AuditFile, open_audit_file
from operations.key_file import KeyFile
from operations.views.datasets import DatasetReader
from operations.views.device_events import DeviceEvents
from operations.views.devices import Devices
from operations.views.history_reader import HistoryReader
from operations.views.labels import LabelReader, ReadingTimes
from operations.views.run_events import RunEvents
from operations.views.runs import RunReader
from operations.views.stream import Recent
from operations.views.system import SystemReader
from registry.registry import Registry
from registry.restored.open import open_registry
from registry.restored.watch import Watch
from zelador.alarms.store import DeviceStates
from zelador.buffer import connect_redis
from zelador.labels.book import LabelBook
from zelador.ledger import LedgerReader
from zelador.ledger_marks import LedgerMarks
from zelador.quarantine import Quarantine
from zelador.settings import Settings
from zelador.training_queue import TrainingQueue
from zelador.writable import WriteProbe


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    registry: Registry
    watch: Watch
    patient_redis: redis.Redis  # for long reads, and for what nobody waits for
    redis: redis.Redis  # gives up soon, for what somebody waits for
    outage: Outage  # of `redis`
    ledger: LedgerReader
    quarantine: Quarantine
    runs: TrainingQueue
    classifiers: Classifiers
    audit: AuditFile
    run_views: RunReader
    recent: Recent
    devices: Devices
    device_states: DeviceStates
    device_events: DeviceEvents
    system: SystemReader
    writes: WriteProbe
    keys: KeyFile
    attempts: Attempts
    sessions: Sessions
    labels: LabelBook
    label_views: LabelReader
    requests: RequestMetrics
    datasets: DatasetReader
    histories: HistoryReader
    run_streams: RunStreams
    ledger_marks: LedgerMarks
    zone: tzinfo  # of the plant

    @property
    def prefix(self) -> str:
        """Prefix of Zelador's keys in Redis."""
        return self.settings.redis.prefix


def make_services(settings: Settings) -> Services:
    """Makes the services. Raises Unavailable or Corrupt if the registry cannot be opened; Redis may be down."""
    outage = Outage()
    client, patient = watched_redis(settings.redis, outage), connect_redis(settings.redis)
    prefix = settings.redis.prefix
    registry = open_registry(settings)
    keys = KeyFile(settings.api.keys_file)
    watch = Watch(registry, client, prefix, "the API", settings.registry.check_s)
    ledger = LedgerReader(client, prefix)
    runs = TrainingQueue(client, prefix)
    labels = LabelBook(client, prefix)
    run_views = RunReader(registry, runs)
    events = DeviceEvents(client, prefix)
    return Services(
        settings,
        registry,
        watch,
        patient,
        client,
        outage,
        ledger,
        Quarantine(client, settings),
        runs,
        Classifiers(registry, settings.api.classify_timeout_s, settings.api.classifications_at_once, settings),
        open_audit_file(settings.api),
        run_views,
        Recent(client, prefix),
        Devices(client, prefix),
        DeviceStates(client, prefix),
        events,
        SystemReader(settings, registry, watch, client, ledger),
        WriteProbe(client, prefix),
        keys,
        Attempts(settings.api.failure_delay_s),
        Sessions(client, prefix, keys),
        labels,
        LabelReader(labels.labels, ReadingTimes(client, prefix, ArchivedCounts(settings))),
        RequestMetrics(),
        DatasetReader(settings, patient, client),
        HistoryReader(settings, client, labels.labels, events),
        RunStreams(RunEvents(run_views, registry, runs), max(8, settings.api.connections // 4)),
        LedgerMarks(client, prefix),
        ZoneInfo(settings.time_zone),
    )


async def held(request: Request) -> Services:
    """Returns the services of a request's app. A coroutine, so that FastAPI does not call it on a thread."""
    services: Services = request.app.state.services
    return services


Held = Annotated[Services, Depends(held)]
