"""An independent subscriber with its own MQTT connection and thread. Counts predictions and measures their latency.

Others may publish to the demo's broker too: their predictions are counted apart.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from threading import Event

import msgspec

from zelador.link import Link, LinkOptions
from zelador.messages import Prediction
from zelador.settings import Settings
from zelador.undecodable import UNDECODABLE

PREDICTIONS_SHOWN = 12
MAX_LATENCIES = 200_000  # bounds the memory of a demo that runs for days
DEMO_ID = re.compile(r"history-[0-9]+|live-[0-9a-f]+-[0-9]+")  # the id of a reading that the demo publishes
MAX_SEEN_IDS = 500_000  # reading ids to remember, to detect repeats


@dataclass(frozen=True, slots=True)
class Measured:
    """Latency of live readings, in milliseconds from a device's publish to the receipt of the prediction."""

    p50_ms: float | None
    p99_ms: float | None


_decode_one = msgspec.json.Decoder(Prediction).decode
_decode_many = msgspec.json.Decoder(list[Prediction]).decode


class Subscriber:
    def __init__(self, settings: Settings, client_id: str) -> None:
        """Raises Unavailable when the broker does not answer."""
        self._stop = Event()
        topic = settings.topics.prediction.replace("{device_id}", "+")
        self._link = Link(settings.mqtt, LinkOptions(client_id, (topic,)), self._stop)
        self._link.open(settings.mqtt.start_patience_s)
        self._lock = threading.Lock()
        self._expected: dict[str, tuple[float, str]] = {}  # live reading id → time of publishing, true label
        self._devices: set[str] = set()  # that the demo publishes for
        self._seen: dict[str, None] = {}  # ids of readings with a prediction, oldest first
        self.answered = 0  # readings of the demo with at least one prediction
        self.repeated = 0  # predictions beyond the first of a reading
        self.others = 0  # predictions of readings that somebody else published
        self._latencies: deque[float] = deque(maxlen=MAX_LATENCIES)
        self.right = 0
        self.live = 0
        self.first: float | None = None  # time.monotonic() of the first prediction of a reading of the demo
        self.newest: deque[Prediction] = deque(maxlen=PREDICTIONS_SHOWN)
        self._thread = threading.Thread(target=self._run, name="subscriber", daemon=True)
        self._thread.start()

    def follow(self, device_id: str) -> None:
        """Registers a device before the demo publishes for it."""
        if device_id not in self._devices:
            with self._lock:
                self._devices.add(device_id)

    def expect(self, reading_id: str, label: str) -> None:
        """Registers a live reading right before it is published. Its message does not contain the label."""
        with self._lock:
            self._expected[reading_id] = (time.perf_counter(), label)

    def outstanding(self) -> int:
        with self._lock:
            return len(self._expected)

    def measured(self, newest: int | None = None) -> Measured:
        with self._lock:
            values = list(self._latencies)
        values = sorted(values[-newest:] if newest else values)
        if not values:
            return Measured(None, None)
        return Measured(_percentile(values, 50), _percentile(values, 99))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5.0)
        self._link.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            batch = self._link.receive(1_000, 0.2)
            now = time.perf_counter()
            for message in batch:
                payload = message.payload
                try:
                    predictions = _decode_many(payload) if payload[:1] == b"[" else [_decode_one(payload)]
                except UNDECODABLE:  # anyone may publish on these topics
                    continue
                for prediction in predictions:
                    self._note(prediction, now)
            self._link.ack(batch)

    def _note(self, prediction: Prediction, now: float) -> None:
        with self._lock:
            if prediction.device_id not in self._devices or not DEMO_ID.fullmatch(prediction.reading_id):
                self.others += 1
                self.newest.append(prediction)
                return
            if self.first is None:
                self.first = time.monotonic()
            if prediction.reading_id in self._seen:
                self.repeated += 1
                return
            self.answered += 1
            self._seen[prediction.reading_id] = None
            if len(self._seen) > MAX_SEEN_IDS:
                del self._seen[next(iter(self._seen))]
            self.newest.append(prediction)
            expected = self._expected.pop(prediction.reading_id, None)
            if expected is not None:
                published, label = expected
                self._latencies.append((now - published) * 1000)
                self.live += 1
                self.right += prediction.label == label


def _percentile(ordered: list[float], percent: float) -> float:
    """Returns the nearest-rank percentile of an ascending list."""
    rank = max(1, -(-len(ordered) * percent // 100))
    return round(ordered[int(rank) - 1], 2)
