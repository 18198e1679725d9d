"""The trainer as a service on a real Redis."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydantic import TypeAdapter

from admin.api.runs import WantedRun
from operations.views.run_view import RunBody, RunView
from registry.registry import Registry
from trainer import service
from trainer.dataset import Dataset, assemble
from trainer.run.process import Child
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.heartbeat import workers
from zelador.settings import Settings
from zelador.training_queue import Consumer, TrainingQueue
from zelador.training_queue.event import decode_all
from zelador.training_queue.stage import REGISTERING

RUN = "20261124_115838-aaaa"
FEATURES = ("lux", "temperature", "vibration")
Eventually = Callable[..., None]


@pytest.fixture
def local(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"registry": settings.registry.model_copy(update={"url": str(tmp_path)})})


@pytest.fixture
def runs(local: Settings) -> Iterator[TrainingQueue]:
    with connect_redis(local.redis) as client:
        yield TrainingQueue(client, local.redis.prefix)


@pytest.fixture
def trainer(local: Settings) -> Iterator[Consumer]:
    with connect_redis(local.redis) as client:
        yield Consumer(client, local.redis.prefix)


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    stop = Event()
    thread = threading.Thread(target=service.run, args=(settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[float, ...], str, int, str]]:
    found: list[tuple[tuple[float, ...], str, int, str]] = []

    def dataset(*_: object) -> Dataset:
        values, labels, times, devices = zip(*found, strict=True) if found else ((), (), (), ())
        return assemble(values, labels, FEATURES, "the buffer", 100_000, 7, devices=devices, times=times)

    monkeypatch.setattr("trainer.source.from_stream", dataset)
    return found


def test_it_announces_itself_and_withdraws_at_the_end(local: Settings, eventually: Eventually) -> None:
    with connect_redis(local.redis) as client:
        with serving(local):
            eventually(lambda: workers(client, local.redis.prefix), "a heartbeat")
        assert workers(client, local.redis.prefix) == []


@pytest.mark.training
def test_a_run_without_labeled_readings_fails_clearly_and_frees_the_place(
    local: Settings,
    runs: TrainingQueue,
    readings: list[Any],
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The trainer is warm: the process that it started before the run is the run's process, and ends with it."""
    started: list[Child] = []

    def start(nice: int) -> Child:
        started.append(Child(nice=nice))
        return started[-1]

    monkeypatch.setattr(service, "Child", start)
    with serving(local.model_copy(update={"training": local.training.model_copy(update={"warm": True})})):
        eventually(lambda: started, "the warm process")
        runs.submit(RUN, {}, "test")
        eventually(lambda: runs.get(RUN).state == "failed", "the run to fail", within_s=30)
        eventually(lambda: started[0].ended, "the warm process to end")
    assert len(started) == 1
    assert "no labeled readings" in str(runs.get(RUN).error)
    assert runs.submit("20261124_115839-bbbb", {}, "test").state == "queued"


@pytest.mark.training
def test_a_run_registers_and_records_what_was_requested(
    local: Settings, runs: TrainingQueue, readings: list[Any], eventually: Eventually, tmp_path: Path
) -> None:
    """Of two candidates, the second. The audit log has it once; the request is another act, of whoever made it."""
    readings += [((float(i % 50), 1.0 * (i % 7), 2.0), "yes" if i % 50 > 20 else "no", i, "m1") for i in range(400)]
    asked = {"candidates": ["lr", "nb"], "metric": "Accuracy", "register": [2], "names": ["second"], "split": "time",
             "positive": "no", "cost_missed": 1.0, "cost_false_alarm": 3.0}  # fmt: skip
    runs.submit(RUN, WantedRun(**asked).request(), "test")
    with serving(local):
        eventually(lambda: runs.get(RUN).state in ("done", "failed"), "the run to end", within_s=90)
    ended = runs.get(RUN)
    assert ended.state == "done", ended.error
    assert ended.result is not None
    assert [model["name"] for model in ended.result["models"]] == [None, "second"]
    TypeAdapter(RunBody).validate_python(
        RunView.of(ended).body(), strict=True
    )  # the API's description of its response is true
    assert (ended.result["positive"], ended.result["split"]["asked"], ended.result["split"]["kind"]) == (
        "no", "time", "time",
    )  # fmt: skip
    assert [model["threshold"] for model in ended.result["models"]] == [0.75, 0.75]  # a false alarm costs three times
    registry = Registry.open(tmp_path)
    told = decode_all(registry.run_events(RUN))
    assert [event.kind for event in told[:3]] == ["started", "loaded", "split"]
    assert [event.candidate.id for event in told if event.kind == "candidate_ended"] == ["lr", "nb", "dummy"]
    assert [event.message for event in told[-2:]] == ["writing the models and their reports", REGISTERING]
    assert list(registry.sync().models) == ["second"]
    with connect_redis(local.redis) as client:
        ((_, fields),) = client.xrange(Keys(local.redis.prefix).audit)
    act = json.loads(fields[b"act"])
    assert (act["who"], act["what"], act["target"]) == (
        f"{local.training.instance} (run {RUN})", "model registered", "second",
    )  # fmt: skip
    assert (act["after"]["run"], act["after"]["rank"], act["on_behalf_of"]) == (RUN, 2, "test")
    assert registry.register_candidate(RUN, 1, "later", by="test").name == "later"


@pytest.mark.training
def test_a_run_is_cancelled_while_it_compares(
    local: Settings, runs: TrainingQueue, readings: list[Any], eventually: Eventually, tmp_path: Path
) -> None:
    readings += [((float(i % 50), 1.0 * (i % 7), 2.0), "yes" if i % 50 > 20 else "no", i, "m1") for i in range(4_000)]
    runs.submit(RUN, {}, "test")
    with serving(local):
        eventually(lambda: runs.get(RUN).progress is not None, "the run to compare", within_s=60)
        runs.cancel(RUN, "key 2")
        eventually(lambda: runs.get(RUN).state == "cancelled", "the run to end", within_s=20)
    assert runs.get(RUN).error == "cancelled by key 2"
    registry = Registry.open(tmp_path)
    assert (registry.run(RUN)["state"], registry.state.models) == ("cancelled", {})
    assert runs.submit("20261124_115839-bbbb", {}, "test").state == "queued"


def test_a_run_that_its_trainer_abandoned_fails_after_the_restart(
    local: Settings, runs: TrainingQueue, trainer: Consumer, eventually: Eventually
) -> None:
    runs.submit(RUN, {}, "test")
    name = local.training.instance
    job = trainer.next(name, 0.05) or trainer.next(name, 0.05)
    assert job is not None
    trainer.begin(job)
    with serving(local):
        eventually(lambda: runs.get(RUN).state == "failed", "the run to be failed")
    assert "stopped in the middle" in str(runs.get(RUN).error)
