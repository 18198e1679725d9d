"""Prometheus metrics of the workers. A value that is not known is absent, not 0."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from zelador.buffer import Accepted
from zelador.link import Link

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class IngestMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._accepted = _counter(self, "zelador_ingest_accepted", "Readings stored in the buffer by this process")
        self._repeated = _counter(
            self, "zelador_ingest_repeated", "Readings not stored again: same id, time and values"
        )
        self._refused = _counter(self, "zelador_ingest_quarantined", "Messages and array elements put in quarantine")
        self._discarded = _counter(
            self, "zelador_quarantine_discarded", "Messages discarded because quarantine was full"
        )
        self._unanswered = _counter(
            self,
            "zelador_ingest_unanswered_requests",
            "Readings taken without their response topic, which is not allowed",
        )
        self._passed_over = _counter(
            self,
            "zelador_ingest_passed_over",
            "Messages that are no readings: empty, or retained without a time of their own",
        )
        self._backlog = Gauge("zelador_backlog_readings", "Readings waiting, by the ledger", registry=self.registry)
        self._waiting = Gauge("zelador_waiting_bytes", "Size of the waiting readings", registry=self.registry)
        self._forgotten = _counter(
            self, "zelador_ingest_devices_forgotten", "Devices forgotten because there were too many"
        )
        self._reconnects = Gauge("zelador_mqtt_reconnects", "Connections lost since the start", registry=self.registry)
        self._stale = Gauge(
            "zelador_mqtt_stale_acks",
            "Acknowledgements dropped because their connection was lost",
            registry=self.registry,
        )
        self._sessions = Gauge(
            "zelador_mqtt_sessions_lost",
            "Connections at which the broker no longer had our session",
            registry=self.registry,
        )
        self._full = Gauge(
            "zelador_quarantine_fill_ratio",
            "How full the quarantine is, by its nearest limit; at 1 it discards",
            registry=self.registry,
        )
        self._dropped: Gauge | None = None  # created when the broker first reports the number
        self.stalled = _stalled(self)

    def stored(self, result: Accepted, refused: int, link: Link) -> None:
        self._accepted.inc(result.accepted)
        self._repeated.inc(result.repeated)
        self._refused.inc(refused + result.not_unique)
        self._backlog.set(result.backlog)
        self._waiting.set(result.waiting_bytes)
        self._forgotten.inc(result.forgotten)
        self._reconnects.set(link.reconnects)
        self._stale.set(link.stale_acks)
        self._sessions.set(link.sessions_lost)

    def unanswered(self, count: int) -> None:
        self._unanswered.inc(count)

    def passed_over(self, count: int) -> None:
        self._passed_over.inc(count)

    def quarantine(self, discarded: int, full: int) -> None:
        """Records the quarantine's state; `full` is in percent."""
        self._discarded.inc(discarded)
        self._full.set(full / 100)

    def broker_dropped(self, count: int | None) -> None:
        if count is None:
            return
        if self._dropped is None:
            text = "Messages that the broker dropped for any client since it started"
            self._dropped = Gauge("zelador_broker_dropped_messages", text, registry=self.registry)
        self._dropped.set(count)


class InferenceMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._classified = _counter(self, "zelador_inference_classified", "Readings classified by this process")
        self._aside = _counter(self, "zelador_inference_set_aside", "Readings set aside by this process")
        self._unanswered = _counter(
            self, "zelador_inference_unanswered_requests", "Requests whose response topic was not published to"
        )
        self._latency = Histogram(
            "zelador_received_to_confirmed_seconds",
            "Time from receiving a reading to the broker's confirmation of its prediction (newest of each batch)",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._model_s = Histogram(
            "zelador_model_seconds",
            "Time the model takes for one batch",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._observer_dropped = _counter(
            self, "zelador_observer_dropped_batches", "Batches that an observer did not see: it is too slow", "observer"
        )
        self._observer_failed = _counter(
            self, "zelador_observer_failures", "Batches on which an observer raised an exception", "observer"
        )
        self.stalled = _stalled(self)

    def observer_dropped(self, name: str) -> None:
        self._observer_dropped.labels(name).inc()

    def observer_failed(self, name: str) -> None:
        self._observer_failed.labels(name).inc()

    def unanswered(self) -> None:
        self._unanswered.inc()

    def settled(self, classified: int, set_aside: int, seconds: float | None, model_seconds: float) -> None:
        self._classified.inc(classified)
        self._aside.inc(set_aside)
        if seconds is not None:
            self._latency.observe(max(0.0, seconds))
        self._model_s.observe(model_seconds)


def _counter(metrics: IngestMetrics | InferenceMetrics, name: str, help_text: str, *labels: str) -> Counter:
    return Counter(name, help_text, labels, registry=metrics.registry)


def _stalled(metrics: IngestMetrics | InferenceMetrics) -> Gauge:
    return Gauge("zelador_stalled", "1 while messages are held and none completes", registry=metrics.registry)
