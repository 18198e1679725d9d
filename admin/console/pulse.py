"""Samples the last quarter of an hour every few seconds: readings per second, and the latency of predictions.

It also marks what the ledger counted, from which the overview knows what was counted since midnight.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from threading import Event

import redis

from admin.outage import WAIT_S
from operations.views.plant import PlantReader
from operations.views.stream import Recent
from zelador.ledger_marks import LedgerMarks
from zelador.side_thread import SideThread
from zelador.time_budget import limited

EVERY_S = 5.0
SAMPLES = 180  # a quarter of an hour
LOOKED_AT = 200  # predictions per sample

OLD_S = 600.0  # a reading that old was not measured now


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample. `at` is in seconds since 1970 UTC. Unknown values are None."""

    at: int
    rate: float | None  # readings a second
    p50_ms: float | None  # from the time of the reading to its prediction
    p99_ms: float | None


class Pulse:
    """Samples on a separate thread. `samples` may be called from any thread."""

    def __init__(self, plant: PlantReader, recent: Recent, marks: LedgerMarks) -> None:
        self._plant = plant
        self._marks = marks
        self._recent = recent
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._thread: SideThread | None = None
        self._received: tuple[int, int] | None = None  # time of the last sample in ms, and readings received by then

    def samples(self) -> tuple[Sample, ...]:
        return tuple(self._samples)

    def start(self, stop: Event) -> None:
        trouble = "the console's charts miss a sample"
        self._thread = SideThread("console-pulse", stop, self._step, trouble=trouble, retry_s=lambda _: EVERY_S)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(5.0)

    def _step(self) -> float:
        with limited(WAIT_S):
            self._samples.append(self.sample())
            self._marks.keep()
        return EVERY_S

    def sample(self) -> Sample:
        view = self._plant.read()
        rate = None
        if view.ledger is not None:
            received = view.ledger.ledger.received
            if self._received is not None and view.at > self._received[0]:
                rate = max(0, received - self._received[1]) * 1000 / (view.at - self._received[0])
            self._received = (view.at, received)
        else:
            self._received = None
        latencies = self._latencies()
        return Sample(round(time.time()), rate, at_rank(latencies, 0.5), at_rank(latencies, 0.99))

    def _latencies(self) -> list[float]:
        """Returns the sorted latencies (ms) of the predictions since the last sample.

        Readings that waited, or were measured long ago and sent now, say nothing of how fast the plant is.
        """
        try:
            found, _ = self._recent.predictions(LOOKED_AT, None, None)
        except (redis.RedisError, OSError):
            return []
        since = time.time() - EVERY_S
        prompt = (each for each in found if not each.get("late"))
        pairs = [(moment(each["ts"]), moment(each["predicted_at"])) for each in prompt]
        return sorted(max(0.0, done - began) * 1000 for began, done in pairs if done >= since and done - began < OLD_S)


def moment(text: str) -> float:
    """Converts ISO 8601 to seconds since 1970 UTC."""
    return datetime.fromisoformat(text).timestamp()


def at_rank(ordered: list[float], share: float) -> float | None:
    """Returns the value below which `share` of the ascending values are; None without values."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
