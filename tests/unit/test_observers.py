"""An observer sees settled batches on its own thread, at a bounded cost to the loop."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest

from inference import observers as module
from inference.lineup import Live
from inference.observers import Observer, Observers, SettledBatch
from zelador.buffer import Delivered
from zelador.messages import Arrival, Prediction, Reading
from zelador.metrics import InferenceMetrics


class Model:
    name, digest, features, classes = "small", "d", ("lux",), ("no", "yes")

    def classify(self, rows):
        raise NotImplementedError


def batch(number: int, readings: int = 1) -> SettledBatch:
    arrivals = tuple(Arrival("press", (Reading(f"{number}-{i}", (300.0,), 1),), 1) for i in range(readings))
    entry = Delivered(f"{number}-0", ("lux",), arrivals, msgspec.json.encode(arrivals), readings)
    shares = {"no": 0.1, "yes": 0.9}
    made = [Prediction(f"p{i}", f"{number}-{i}", "press", "ts", "yes", 0.9, shares, "small", "d", 3, "at")
            for i in range(readings)]  # fmt: skip
    return SettledBatch.of([entry], made, Live(Model(), 3))


def count(metrics: InferenceMetrics, name: str, observer: str) -> float:
    return metrics.registry.get_sample_value(f"zelador_observer_{name}_total", {"observer": observer}) or 0.0


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """An event that ends hanging observers at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def test_no_observer_no_thread() -> None:
    before = set(threading.enumerate())
    nobody = Observers((), InferenceMetrics())
    nobody.start()
    assert not nobody
    assert set(threading.enumerate()) <= before
    nobody.close()


def test_an_observer_sees_the_batches_in_order_and_those_that_are_queued_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 20.0)
    seen: list[SettledBatch] = []
    watching = Observers((Observer("all", lambda each: (time.sleep(0.002), seen.append(each))),), InferenceMetrics())
    watching.start()
    sent = [batch(number) for number in range(40)]
    for each in sent:
        watching.offer(each)
    watching.close()
    assert seen == sent
    assert seen[0].model == module.ObservedModel("small", "d", ("lux",), ("no", "yes"), 3)


def test_one_that_raises_is_counted_logged_once_and_given_the_next(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This includes SystemExit: a call of sys.exit must not end the thread."""
    monkeypatch.setattr(module, "CLOSE_S", 20.0)
    metrics, seen = InferenceMetrics(), list[SettledBatch]()

    def bad(each: SettledBatch) -> None:
        seen.append(each)
        if len(seen) % 2:
            sys.exit(1)
        raise ValueError("no")

    watching = Observers((Observer("bad", bad),), metrics)
    watching.start()
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            watching.offer(batch(number))
        watching.close()
    assert (len(seen), count(metrics, "failures", "bad"), count(metrics, "dropped_batches", "bad")) == (20, 20, 0)
    assert [record.getMessage() for record in caplog.records] == ["the observer bad failed on a batch"]


def test_one_that_hangs_keeps_a_bounded_number_of_batches_and_no_other_observer(release: threading.Event) -> None:
    metrics, seen = InferenceMetrics(), list[SettledBatch]()
    ordered = (Observer("hung", lambda _: release.wait(12)), Observer("good", seen.append))
    watching = Observers(ordered, metrics)
    watching.start()
    sent = [batch(number) for number in range(module.MAX_BATCHES + 36)]
    begun = time.monotonic()
    for number, each in enumerate(sent):
        watching.offer(each)
        while len(seen) <= number and time.monotonic() - begun < 10:
            time.sleep(0.001)
    assert seen == sent, "the good observer must see every batch within 10 s"
    assert count(metrics, "dropped_batches", "hung") == 36  # the one that it is seeing counts
    watching.close()
    assert time.monotonic() - begun < 11, "it waited for the one that hangs"


def test_the_queue_is_bounded_in_bytes(release: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = InferenceMetrics()
    large = batch(1, readings=500)
    monkeypatch.setattr(module, "MAX_BYTES", large.memory * 3)
    watching = Observers((Observer("hung", lambda _: release.wait(12)),), metrics)
    watching.start()
    for _ in range(10):
        watching.offer(large)
    assert count(metrics, "dropped_batches", "hung") == 7


def test_space_is_released_when_the_observer_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, seen = InferenceMetrics(), list[SettledBatch]()
    monkeypatch.setattr(module, "MAX_BYTES", batch(1).memory)
    watching = Observers((Observer("good", seen.append),), metrics)
    watching.start()
    lane = watching._lanes[0]
    for number in range(5):
        watching.offer(batch(number))
        deadline = time.monotonic() + 10
        while lane._batches and time.monotonic() < deadline:
            time.sleep(0.001)
    assert (len(seen), lane._memory, count(metrics, "dropped_batches", "good")) == (5, 0, 0)
    watching.close()


@pytest.mark.parametrize("classes", [2, 1_000])
def test_the_estimate_of_a_batch_is_not_below_its_memory(classes: int) -> None:
    """A model of a thousand labels makes predictions a thousand times as large as their readings."""
    labels = [f"label-{i}" for i in range(classes)]
    gc.collect()
    tracemalloc.start()
    try:
        raw = msgspec.json.encode(
            [Arrival(f"device-{i}", (Reading(f"r-{i}", (300.5, 25.5, 0.4), 1_764_000_000_000),), 1) for i in range(50)]
        )
        arrivals = msgspec.json.decode(raw, type=tuple[Arrival, ...])
        entry = Delivered("1-0", ("lux",), arrivals, raw, 50)
        made = [
            Prediction(f"{i:032d}", f"r-{i}", "d", f"2026-11-24T10:00:00.{i:03d}Z", labels[0], i / 7,
                       {label: k / 3 for k, label in enumerate(labels)}, "small", "d", 3, "at") for i in range(50)
        ]  # fmt: skip
        settled = SettledBatch.of([entry], made, Live(Model(), 3))
        del arrivals, entry, made
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used <= settled.memory <= used * 4
