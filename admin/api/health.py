"""/healthz, /readyz, /metrics: health, readiness and metrics. No key is required, and nothing in them is secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import redis
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, open_to_anyone
from admin.document.answers import answer
from admin.services import Held, Services
from operations.views.archive import archive_remark
from operations.views.metrics import metric_views
from operations.views.system import stall
from zelador import heartbeat
from zelador.buffer.durability import NotSynced
from zelador.buffer.written import persistence

router = APIRouter(route_class=Route, tags=["health"])


class Alive(TypedDict):
    """The answer of a running process."""

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


@router.get(
    "/healthz",
    summary="Check that the process answers",
    responses=answer(200, "The process answers.", {"status": "ok"}),
    **open_to_anyone(),
)
async def healthz() -> Alive:
    # A coroutine: it answers even while all threads of the pool are busy.
    return {"status": "ok"}


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
        refused, remark = persistence(services.redis)
        if refused:
            troubles.append(refused)
        lost = services.ledger.lost_sessions().remark()
        snapshot = services.ledger.snapshot()
        workers = heartbeat.workers(services.redis, services.settings.redis.prefix)
        archive = None if snapshot.ledger.archive is None else archive_remark(snapshot, workers, services.settings)
    except NotSynced as error:
        troubles.append(str(error))
    except (redis.RedisError, OSError):
        troubles.append("Redis does not answer")
    if troubles:
        return JSONResponse(Readiness(ready=False, model=model, detail="; ".join(troubles)), 503)
    # From the stream itself: readings wait and are not processed although a model is selected.
    running = sum(worker.get("service") == "inference" for worker in workers)
    if model and (stalled := stall(snapshot, services.settings.health.stalled_after_s, running)):
        return JSONResponse(Readiness(ready=False, model=model, detail=stalled), 503)
    detail = f"{model} is selected" if model else "no model is selected yet: readings wait in the buffer"
    remarks = "; ".join(each for each in (remark, lost, archive, services.audit.remark()) if each)
    return JSONResponse(Readiness(ready=True, model=model, detail=f"{detail}; but: {remarks}" if remarks else detail))


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
    data = generate_latest(services.requests.registry) + generate_latest(registry)
    return Response(data, media_type=CONTENT_TYPE_LATEST)


class _Collector:
    """Renders the metrics for Prometheus."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        limit_s = self._services.settings.health.stalled_after_s
        for metric in metric_views(self._services.system.read(), limit_s):
            kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
            family: Metric = kind(metric.name, metric.text, labels=metric.labels)
            for labels, value in metric.values.items():
                family.add_metric(labels, value)  # type: ignore[attr-defined]
            yield family
