"""Prometheus metrics of ingester, worker, trainer and archiver. A value that is not known is absent, not 0."""

from __future__ import annotations

import platform
import time
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, Metric

if TYPE_CHECKING:
    from zelador.buffer import Accepted
    from zelador.link import Link
    from zelador.messages import Prediction

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
RUN_BUCKETS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)
MAX_PREDICTED = 200  # pairs of model and label; further ones are counted together
OTHER = "(other)"

disable_created_metrics()  # type: ignore[no-untyped-call, unused-ignore]


class Total:
    """A counter whose value is counted elsewhere, such as by the broker. Absent while it is not known."""

    def __init__(self, registry: CollectorRegistry, name: str, text: str, value: float | None = None) -> None:
        self._name, self._text = name, text
        self.value = value
        registry.register(self)

    def describe(self) -> Sequence[Metric]:
        return [CounterMetricFamily(self._name, self._text)]

    def collect(self) -> Iterable[Metric]:
        return [] if self.value is None else [CounterMetricFamily(self._name, self._text, value=self.value)]


def build_info(registry: CollectorRegistry, service: str) -> None:
    """Adds `zelador_build_info`: the version that is running."""
    info = Info("zelador_build", "The version of Zelador and of Python, by service", registry=registry)
    info.info({"version": version("zelador"), "python": platform.python_version(), "service": service})


class IngestMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        build_info(self.registry, "ingest")
        self._accepted = _counter(self, "zelador_ingest_accepted", "Readings stored in the buffer by this process")
        self._repeated = _counter(
            self, "zelador_ingest_repeated", "Readings not stored again: same id, time and values"
        )
        self._refused = _counter(self, "zelador_ingest_quarantined", "Messages and array elements put in quarantine")
        self._discarded = _counter(
            self, "zelador_ingest_quarantine_discarded", "Messages that this process discarded: quarantine was full"
        )
        self._unanswered = _counter(
            self,
            "zelador_ingest_unanswered_requests",
            "Readings taken without their response topic, which is not allowed",
        )
        self._passed_over = _counter(
            self,
            "zelador_ingest_passed_over",
            "Messages without a reading: empty, retained without a time of their own, or without any feature",
        )
        self._backlog = Gauge("zelador_backlog_readings", "Readings waiting, by the ledger", registry=self.registry)
        self._waiting = Gauge("zelador_waiting_bytes", "Size of the waiting readings", registry=self.registry)
        self._forgotten = _counter(
            self, "zelador_ingest_devices_forgotten", "Devices forgotten because there were too many"
        )
        self._reconnects = Total(self.registry, "zelador_mqtt_reconnects", "Connections lost since the start", 0)
        text = "Acknowledgements dropped because their connection was lost"
        self._stale = Total(self.registry, "zelador_mqtt_stale_acks", text, 0)
        text = "Connections at which the broker no longer had our session"
        self._sessions = Total(self.registry, "zelador_mqtt_sessions_lost", text, 0)
        self._full = Gauge(
            "zelador_quarantine_fill_ratio",
            "How full the quarantine is, by its nearest limit; at 1 it discards",
            registry=self.registry,
        )
        text = "Messages that the broker dropped for any client since it started"
        self._dropped = Total(self.registry, "zelador_broker_dropped_messages", text)  # absent until it is reported
        self._newest = Gauge(
            "zelador_ingest_newest_reading_timestamp_seconds",
            "When this process last stored a reading, in seconds since 1970; 0 if it has not yet",
            registry=self.registry,
        )
        self.stalled = _stalled(self)

    def stored(self, result: Accepted, refused: int, link: Link) -> None:
        self._accepted.inc(result.accepted)
        self._repeated.inc(result.repeated)
        self._refused.inc(refused + result.not_unique)
        self._backlog.set(result.backlog)
        self._waiting.set(result.waiting_bytes)
        self._forgotten.inc(result.forgotten)
        self._reconnects.value = link.reconnects
        self._stale.value = link.stale_acks
        self._sessions.value = link.sessions_lost
        if result.accepted:
            self._newest.set(time.time())

    def unanswered(self, count: int) -> None:
        self._unanswered.inc(count)

    def passed_over(self, count: int) -> None:
        self._passed_over.inc(count)

    def quarantine(self, discarded: int, full: int) -> None:
        """Records the quarantine's state; `full` is in percent."""
        self._discarded.inc(discarded)
        self._full.set(full / 100)

    def broker_dropped(self, count: int | None) -> None:
        if count is not None:
            self._dropped.value = count


class InferenceMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        build_info(self.registry, "inference")
        self._predicted = _counter(
            self, "zelador_predictions", "Predictions that the broker confirmed, by model and label", "model", "label"
        )
        self._known: dict[tuple[str, str], Counter] = {}
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

    def predicted(self, predictions: Sequence[Prediction]) -> None:
        """Counts confirmed predictions of one model. A model decides its labels, so their number is bounded here."""
        model = predictions[0].model if predictions else ""
        for label, count in Tally([each.label for each in predictions]).items():
            counter = self._known.get((model, label))
            if counter is None:
                pair = (model, label) if len(self._known) < MAX_PREDICTED else (OTHER, OTHER)
                counter = self._predicted.labels(*pair)
                if pair[0] is not OTHER:
                    self._known[pair] = counter
            counter.inc(count)

    def settled(self, classified: int, set_aside: int, seconds: float | None, model_seconds: float) -> None:
        self._classified.inc(classified)
        self._aside.inc(set_aside)
        if seconds is not None:
            self._latency.observe(max(0.0, seconds))
        self._model_s.observe(model_seconds)


class TrainerMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        build_info(self.registry, "trainer")
        self._runs = _counter(self, "zelador_training_runs", "Training runs that ended, by outcome", "outcome")
        for outcome in ("done", "failed", "cancelled"):
            self._runs.labels(outcome)
        self._seconds = Histogram(
            "zelador_training_run_seconds",
            "Duration of the training runs that were done",
            buckets=RUN_BUCKETS,
            registry=self.registry,
        )
        self.running = Gauge(
            "zelador_training_running", "1 while a training run is in progress", registry=self.registry
        )
        self._done_at = Gauge(
            "zelador_training_done_timestamp_seconds",
            "When this process last finished a training run, in seconds since 1970; 0 if it has not yet",
            registry=self.registry,
        )

    def ended(self, outcome: str, seconds: float) -> None:
        """Counts a run: done, failed or cancelled."""
        self._runs.labels(outcome).inc()
        if outcome == "done":
            self._seconds.observe(seconds)
            self._done_at.set(time.time())


class ArchiveMetrics:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        build_info(self.registry, "archive")
        self._readings = _counter(self, "zelador_archive_readings", "Readings archived by this process")
        self._files = _counter(self, "zelador_archive_files", "Files written by this process, before they are merged")
        self._bytes = _counter(self, "zelador_archive_written_bytes", "Size of these files")
        self._seconds = Histogram(
            "zelador_archive_write_seconds",
            "Time to write a batch and to commit it",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.stalled = _stalled(self)

    def wrote(self, sizes: Sequence[int], readings: int, seconds: float) -> None:
        """Counts a batch; `sizes` are the bytes of its files."""
        self._readings.inc(readings)
        self._files.inc(len(sizes))
        self._bytes.inc(sum(sizes))
        self._seconds.observe(seconds)


def _counter(
    metrics: IngestMetrics | InferenceMetrics | TrainerMetrics | ArchiveMetrics, name: str, help_text: str, *labels: str
) -> Counter:
    return Counter(name, help_text, labels, registry=metrics.registry)


def _stalled(metrics: IngestMetrics | InferenceMetrics | ArchiveMetrics) -> Gauge:
    return Gauge("zelador_stalled", "1 while messages are held and none completes", registry=metrics.registry)
