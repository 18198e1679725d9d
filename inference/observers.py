"""Observers: functions that see settled batches. They can neither delay nor break one.

The contract of an observer:

- It is called with a `SettledBatch`, after the batch was marked done. Everything in it is shared with the other
  observers and frozen, except for the dicts of probabilities: an observer must not change these.
- It runs on a thread of its own, one batch at a time, in the order in which they were settled.
- Up to MAX_BATCHES and MAX_BYTES are kept for it, the batch that it is seeing included. When one of these is reached,
  further batches are dropped for this observer, and counted.
- An exception is counted and logged at a bounded rate. The observer still gets the next batch.
- An observer that never returns costs its thread and MAX_BYTES, nothing more; the process ends without it.
- It does not see every batch: some are dropped, and those that are queued when the process ends are lost. It may see
  a reading twice, if a second worker took it over; the id of the prediction is the same.
- All threads share one interpreter. An observer that computes in Python takes time from the loop, so it should do
  little per batch, or compute in NumPy or another process.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread

import msgspec

from inference.lineup import Live
from zelador.buffer import Delivered
from zelador.log_limit import LogLimit
from zelador.messages import Prediction
from zelador.metrics import InferenceMetrics

log = logging.getLogger(__name__)

MAX_BATCHES = 64
MAX_BYTES = 33_554_432  # an estimate of the memory that the batches take
READING_FACTOR = 8  # memory of an entry and its decoded readings, as a multiple of its JSON
PREDICTION_BYTES, SHARE_BYTES = 800, 120  # memory of a prediction, and of each probability in it
POLL_S = 1.0
CLOSE_S = 1.0  # at the end of the process, how long all observers together may take for what is queued
REPEAT_S = 60.0  # between two log lines of one kind, for each observer


class ObservedModel(msgspec.Struct, frozen=True):
    """The model that classified a batch. Not the model itself: it is called by one thread only, the loop's."""

    name: str
    digest: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    selection: int  # sequence number of the selection that chose it


class SettledBatch(msgspec.Struct, frozen=True):
    """A batch that was marked done. A reading in `entries` without a prediction was set aside."""

    entries: tuple[Delivered, ...]
    predictions: tuple[Prediction, ...]  # those that the broker confirmed
    model: ObservedModel

    @classmethod
    def of(cls, entries: Sequence[Delivered], predictions: Sequence[Prediction], live: Live) -> SettledBatch:
        model = live.model
        observed = ObservedModel(model.name, model.digest, model.features, model.classes, live.sequence)
        return cls(tuple(entries), tuple(predictions), observed)

    @property
    def memory(self) -> int:
        """An estimate, in bytes."""
        raw = sum([len(entry.raw) for entry in self.entries])
        shares = sum([len(prediction.probabilities or ()) for prediction in self.predictions])
        return raw * READING_FACTOR + len(self.predictions) * PREDICTION_BYTES + shares * SHARE_BYTES


@dataclass(frozen=True, slots=True)
class Observer:
    name: str  # for its metrics and log lines
    see: Callable[[SettledBatch], object]


class Observers:
    """Offers each settled batch to every observer. Starts no thread if there is none."""

    def __init__(self, observers: Sequence[Observer], metrics: InferenceMetrics) -> None:
        self._lanes = tuple(_Lane(observer, metrics) for observer in observers)

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def start(self) -> None:
        for lane in self._lanes:
            lane.thread.start()

    def offer(self, batch: SettledBatch) -> None:
        """Queues the batch. Called by the loop; never blocks, never raises."""
        memory = batch.memory
        for lane in self._lanes:
            lane.offer(batch, memory)

    def close(self) -> None:
        """Lets the observers see what is queued, for at most CLOSE_S."""
        deadline = time.monotonic() + CLOSE_S
        for lane in self._lanes:
            lane.finish()
        for lane in self._lanes:
            lane.thread.join(max(0.0, deadline - time.monotonic()))


class _Lane:
    """One observer, its queue and its thread."""

    def __init__(self, observer: Observer, metrics: InferenceMetrics) -> None:
        self._observer = observer
        self._metrics = metrics
        self._dropped_log, self._failed_log = LogLimit(REPEAT_S), LogLimit(REPEAT_S)
        self._changed = Condition()
        self._queue: deque[tuple[SettledBatch, int]] = deque()
        self._batches = self._memory = 0  # queued, or being seen
        self._finishing = False
        self.thread = Thread(target=self._run, name=f"observer-{observer.name}", daemon=True)

    def offer(self, batch: SettledBatch, memory: int) -> None:
        with self._changed:
            fits = self._batches < MAX_BATCHES and self._memory + memory <= MAX_BYTES
            if fits:
                self._queue.append((batch, memory))
                self._batches, self._memory = self._batches + 1, self._memory + memory
                self._changed.notify()
        if not fits:
            self._metrics.observer_dropped(self._observer.name)
            if self._dropped_log.due():
                skipped = self._dropped_log.take_skipped()
                log.warning("the observer %s is too slow: a batch was dropped for it%s", self._observer.name, skipped)

    def finish(self) -> None:
        """Ends the thread once the queue is empty."""
        with self._changed:
            self._finishing = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    if self._finishing:
                        return
                    self._changed.wait(POLL_S)
                batch, memory = self._queue.popleft()
            self._see(batch)
            del batch  # while this thread waits it holds no batch
            with self._changed:
                self._batches, self._memory = self._batches - 1, self._memory - memory

    def _see(self, batch: SettledBatch) -> None:
        try:
            self._observer.see(batch)
        except BaseException:  # SystemExit too must not end the thread
            self._metrics.observer_failed(self._observer.name)
            if self._failed_log.due():
                skipped = self._failed_log.take_skipped()
                log.exception("the observer %s failed on a batch%s", self._observer.name, skipped)
