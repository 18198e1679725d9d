"""/healthz, /readyz, /metrics: health, readiness and metrics. No key is required, and nothing in them is secret."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, cast

import redis
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, open_to_anyone
from admin.document.answers import answer
from admin.services import Held, Services
from operations.views import rollout
from zelador import heartbeat
from zelador.buffer.durability import NotSynced
from zelador.buffer.written import persistence
from zelador.errors import ZeladorError

router = APIRouter(route_class=Route, tags=["health"])
log = logging.getLogger(__name__)


class Alive(TypedDict):
    """The process answers."""

    status: Annotated[str, Field(description="ok.")]


class Readiness(TypedDict):
    """Whether the service can do its work."""

    ready: Annotated[bool, Field(description="Whether the registry and Redis answer, and readings are processed.")]
    model: Annotated[
        str | None, Field(description="The selected model; null if no model is selected or it is not known.")
    ]
    detail: Annotated[str, Field(description="The reason, for people.")]


READY = {"ready": True, "model": "RandomForest_20261124_115838", "detail": "RandomForest_20261124_115838 is selected"}
NOT_READY = {"ready": False, "model": None, "detail": "Redis does not answer"}


@router.head("/healthz", include_in_schema=False, **open_to_anyone())
@router.get(
    "/healthz",
    summary="Check that the process answers",
    responses=answer(200, "The process answers.", {"status": "ok"}),
    **open_to_anyone(),
)
async def healthz() -> Alive:
    # A coroutine: it answers even while all threads of the pool are busy.
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False, **open_to_anyone())
@router.get(
    "/readyz",
    summary="Check that Redis accepts writes, and that the registry is the one last seen",
    responses={
        200: {"model": Readiness, **answer(200, "Ready.", READY)[200]},
        503: {"model": Readiness, **answer(503, "Not ready, with the reason.", NOT_READY)[503]},
    },
    **open_to_anyone(),
)
def readyz(services: Held) -> JSONResponse:
    look = services.watch.look()
    troubles = [look.trouble] if look.trouble is not None else []
    remark = None
    model = look.state.selection.model if look.state is not None and look.state.selection is not None else None
    try:
        services.redis.ping()
        if (refusal := services.writes.refusal()) is not None:
            troubles.append(f"Redis refuses writes: {refusal}")
        held, remark = persistence(services.redis)
        if held:
            troubles.append(held)
        lost = services.ledger.lost_sessions().remark()
    except NotSynced as error:
        troubles.append(str(error))
    except (redis.RedisError, OSError):
        troubles.append("Redis does not answer")
    if troubles:
        return JSONResponse(Readiness(ready=False, model=model, detail="; ".join(troubles)), 503)
    if model and (stalled := _stalled(services)):
        return JSONResponse(Readiness(ready=False, model=model, detail=stalled), 503)
    detail = f"{model} is selected" if model else "no model is selected yet: readings wait in the buffer"
    remarks = "; ".join(each for each in (remark, lost, services.audit.remark()) if each)
    return JSONResponse(Readiness(ready=True, model=model, detail=f"{detail}; but: {remarks}" if remarks else detail))


def _stalled(services: Services) -> str | None:
    """Detects from the stream itself that readings wait and are not processed although a model is selected."""
    try:
        standing = services.ledger.standing()
    except (redis.RedisError, OSError):
        return "Redis does not answer"
    if standing.idle_s <= services.settings.health.stalled_after_s:
        return None
    waiting = standing.ledger.waiting
    return f"{waiting} readings wait and none was settled for {standing.idle_s:.0f} s: check the inference workers"


@router.head("/metrics", include_in_schema=False, **open_to_anyone())
@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
    **open_to_anyone(),
)
def metrics(services: Held) -> Response:
    registry = CollectorRegistry()
    registry.register(_Collector(services))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Collector:
    """The metrics. A value that is not known is absent, not 0."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        services = self._services
        state = None
        try:
            state = services.registry.sync()
        except (ZeladorError, OSError) as error:
            log.warning("metrics without the registry: %s", error)
        else:
            yield GaugeMetricFamily("zelador_models", "Registered models", value=len(state.models))
            if state.selection is not None:
                selected = GaugeMetricFamily("zelador_selected", "The selected model", labels=("model", "sequence"))
                selected.add_metric([state.selection.model, str(state.selection.sequence)], 1)
                yield selected
                found = rollout.counted(services.redis, services.prefix, state.selection)
                if found is not None:
                    text = "Inference workers that run the selected model"
                    yield GaugeMetricFamily("zelador_workers_on_selection", text, value=found["live"])
        text = "1 while the registry is not the one last seen, or cannot be read"
        yield GaugeMetricFamily("zelador_registry_trouble", text, value=services.watch.trouble is not None)
        try:
            standing = services.ledger.standing()
            found_workers = heartbeat.workers(services.redis, services.prefix)
        except (redis.RedisError, OSError) as error:
            log.warning("metrics without the ledger: %s", error)
            return
        counts = cast("Mapping[str, int]", standing.ledger.flat())
        for name, count in counts.items():
            yield GaugeMetricFamily(f"zelador_ledger_{name}", f"Readings {name.replace('_', ' ')}", value=count)
        limit = services.settings.health.stalled_after_s
        redis_settings = services.settings.redis
        age = (standing.now - standing.oldest_kept_at) / 1000 if standing.oldest_kept_at else 0.0
        full = max(
            standing.kept / redis_settings.keep_quarantine,
            standing.kept_bytes / redis_settings.keep_quarantine_bytes,
            age / redis_settings.keep_quarantine_s,
        )
        stalled = float(standing.idle_s > limit and state is not None and state.selection is not None)
        for name, text, value in (
            ("zelador_lag_seconds", "Age of the oldest waiting reading", standing.lag_s),
            ("zelador_pipeline_stalled", f"1 while readings wait and none was settled for {limit:g} s", stalled),
            ("zelador_waiting_bytes", "Size of the waiting readings in bytes, by the counters", standing.waiting_bytes),
            ("zelador_devices", "Known devices", standing.devices),
            (
                "zelador_devices_forgotten",
                "Devices forgotten because of ZELADOR_REDIS__KEEP_DEVICES",
                standing.devices_forgotten,
            ),
            ("zelador_sequence_missing", "Sequence numbers that never arrived", standing.missing),
            ("zelador_quarantine_entries", "Messages in quarantine", standing.kept),
            (
                "zelador_quarantine_bytes",
                "Size of the messages in quarantine in bytes: topic, reason and payload",
                standing.kept_bytes,
            ),
            (
                "zelador_quarantine_fill_ratio",
                "How full the quarantine is, by its nearest limit; at 1 it discards the oldest",
                full,
            ),
            (
                "zelador_quarantine_discarded",
                "Messages discarded from quarantine, by hand or because it was full",
                standing.discarded,
            ),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        dropped = heartbeat.broker_dropped(found_workers)
        if dropped is not None:
            text = "Messages that the broker dropped since it started, for any client"
            yield GaugeMetricFamily("zelador_broker_dropped_messages", text, value=dropped)
        workers = GaugeMetricFamily("zelador_workers", "Processes with a heartbeat", labels=("service",))
        alive = Counter(worker.get("service", "") for worker in found_workers)
        for service, count in sorted(alive.items()):
            workers.add_metric([service], count)
        yield workers
