"""Every Prometheus metric, with a sentence each. What is not known is absent, not 0."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from zelador.buffer import Accepted
from zelador.settings import MetricsSettings

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class IngestMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._accepted = _counter(self, "zelador_ingest_accepted", "Readings stored in the buffer by this process")
        self._repeated = _counter(self, "zelador_ingest_repeated", "Readings refused because their id was seen before")
        self._refused = _counter(self, "zelador_ingest_quarantined", "Messages and array elements put in quarantine")
        self._discarded = _counter(self, "zelador_quarantine_discarded", "Quarantined messages lost to the bound")
        self._backlog = Gauge("zelador_backlog_readings", "Readings that wait, by the counters", registry=self.registry)
        self._reconnects = Gauge("zelador_mqtt_reconnects", "Connections lost since the start", registry=self.registry)
        self._stale = Gauge(
            "zelador_mqtt_stale_acks", "Acknowledgements dropped, their connection gone", registry=self.registry
        )

    def stored(self, result: Accepted, refused: int, reconnects: int, stale_acks: int) -> None:
        self._accepted.inc(result.accepted)
        self._repeated.inc(result.repeated)
        self._refused.inc(refused)
        self._discarded.inc(result.discarded)
        self._backlog.set(result.backlog)
        self._reconnects.set(reconnects)
        self._stale.set(stale_acks)


class InferenceMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._classified = _counter(self, "zelador_inference_classified", "Readings classified by this process")
        self._aside = _counter(self, "zelador_inference_set_aside", "Readings set aside by this process")
        self._latency = Histogram(
            "zelador_received_to_confirmed_seconds",
            "From the reading's receipt to the broker's confirmation of its prediction (newest of each batch)",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._model_s = Histogram(
            "zelador_model_seconds", "One batch through the model", buckets=LATENCY_BUCKETS, registry=self.registry
        )

    def settled(self, classified: int, set_aside: int, seconds: float | None, model_seconds: float) -> None:
        self._classified.inc(classified)
        self._aside.inc(set_aside)
        if seconds is not None:
            self._latency.observe(max(0.0, seconds))
        self._model_s.observe(model_seconds)


def serve(settings: MetricsSettings, registry: CollectorRegistry) -> None:
    """Serves /metrics where a port is set. Raises OSError when the port is taken."""
    if settings.port is not None:
        start_http_server(settings.port, settings.host, registry)


def _counter(metrics: IngestMetrics | InferenceMetrics, name: str, help_text: str) -> Counter:
    return Counter(name, help_text, registry=metrics.registry)
