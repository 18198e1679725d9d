"""/healthz, /readyz, /metrics: for those who run it; no key needed, and nothing secret in them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import redis
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from registry.api.selection import rollout
from zelador import health
from zelador.errors import ZeladorError

router = APIRouter(tags=["health"])
log = logging.getLogger(__name__)


@router.get("/healthz", summary="Whether the process answers")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="Whether registry and Redis answer; ready without a model too, and says so")
def readyz(request: Request) -> JSONResponse:
    services = request.app.state.services
    troubles: list[str] = []
    model: str | None = None
    try:
        selection = services.registry.sync().selection
        model = selection.model if selection else None
    except (ZeladorError, OSError) as error:
        log.error("not ready: %s", error)
        troubles.append("the registry does not answer")
    try:
        services.redis.ping()
    except (redis.RedisError, OSError):
        troubles.append("Redis does not answer")
    if troubles:
        return JSONResponse({"ready": False, "model": model, "detail": "; ".join(troubles)}, 503)
    detail = f"{model} is selected" if model else "no model is selected yet: readings wait in the buffer"
    return JSONResponse({"ready": True, "model": model, "detail": detail})


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(request: Request) -> Response:
    registry = CollectorRegistry()
    registry.register(_Collector(request.app.state.services))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Collector:
    """What is not known is absent, not 0."""

    def __init__(self, services: Any) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        services = self._services
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
                found = rollout(services, state.selection)
                if found is not None:
                    text = "Inference workers that run the selected model"
                    yield GaugeMetricFamily("zelador_workers_on_selection", text, value=found["live"])
        try:
            ledger = services.ledger.read().flat()
            alive = Counter(
                w.get("service", "") for w in health.workers(services.redis, services.settings.redis.prefix)
            )
        except (redis.RedisError, OSError) as error:
            log.warning("metrics without the ledger: %s", error)
            return
        for name, value in ledger.items():
            yield GaugeMetricFamily(f"zelador_ledger_{name}", f"Readings {name.replace('_', ' ')}", value=value)
        workers = GaugeMetricFamily("zelador_workers", "Processes with a heartbeat", labels=("service",))
        for service, count in sorted(alive.items()):
            workers.add_metric([service], count)
        yield workers
