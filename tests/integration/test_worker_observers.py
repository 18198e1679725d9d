"""Observers of a real worker, on a real broker and a real Redis, cannot delay or lose a batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest

from inference.observers import Observer, Observers, SettledBatch
from tests.integration.test_loops import READING, Stack
from tests.integration.test_loops import stack as stack


def test_no_observer_can_delay_or_break_a_batch(
    stack: Stack, eventually: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One raises, one hangs forever, one is slow: readings are answered and settled, and a good one sees them all."""
    seen: list[SettledBatch] = []
    let_go = Event()

    raised: list[SettledBatch] = []

    def raises(batch: SettledBatch) -> None:
        raised.append(batch)
        raise RuntimeError("an observer of the test")

    each = [Observer("raises", raises), Observer("hangs", lambda _: let_go.wait(30))]
    each += [Observer("slow", lambda _: let_go.wait(0.5)), Observer("good", seen.append)]
    monkeypatch.setattr("inference.observers.MAX_BATCHES", 4)
    observers = Observers(each, stack.worker._metrics)
    observers.start()
    stack.worker._observers = observers
    begun = time.monotonic()
    for lot in range(10):
        stack.send("press", *({**READING, "id": f"r-{lot}-{i}"} for i in range(5)))
        stack.ingest(5)
        stack.classify(5)
        assert time.monotonic() - begun < 20
        count = 5 * lot + 5
        for watched in (raised, seen):  # before the next one, as no more than four may wait
            eventually(lambda: sum(len(batch.predictions) for batch in watched) == count, "an observer")  # noqa: B023
    assert stack.ledger.read().flat()["classified"] == 50
    answered = [prediction["reading_id"] for prediction in stack.predictions(50)]
    assert answered == [f"r-{lot}-{i}" for lot in range(10) for i in range(5)]
    assert [p.reading_id for batch in seen for p in batch.predictions] == answered
    assert {(batch.model.name, batch.model.selection) for batch in seen} == {("small", stack.swap.live.sequence)}
    registry = stack.worker._metrics.registry
    dropped = {
        name: registry.get_sample_value("zelador_observer_dropped_batches_total", {"observer": name})
        for name in ("raises", "hangs", "good")
    }
    assert dropped == {"raises": None, "hangs": len(seen) - 4, "good": None}
    failures = "zelador_observer_failures_total"
    eventually(lambda: registry.get_sample_value(failures, {"observer": "raises"}) == len(seen), "all failures")
    ended = time.monotonic()
    observers.close()
    assert time.monotonic() - ended < 10
    let_go.set()
