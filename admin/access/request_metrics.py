"""Counts and times the requests to the API, by the path of the route, never by the path of the request."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from zelador.metrics import LATENCY_BUCKETS, build_info

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NO_ROUTE = "(no route)"


class RequestMetrics:
    """Metrics of requests. Their labels are bounded: the routes, the known methods and the status codes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        build_info(self.registry, "api")
        self._requests = Counter(
            "zelador_api_requests",
            "Requests to the API, by method, route and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "zelador_api_request_seconds",
            "Time from the request to the end of its answer, by route",
            ("route",),
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        path = route or NO_ROUTE
        self._requests.labels(method if method in METHODS else "other", path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
